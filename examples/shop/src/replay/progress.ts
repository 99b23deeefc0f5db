import process from 'node:process'

/** Shows how far something is. */
export interface Progress {
  /** @param share from 0 to 1 */
  show(share: number, text: string): void
  /** Puts a line above the bar. */
  print(line: string): void
  /** Leaves the terminal as it was. */
  end(): void
}

/** What is written to. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const barWidth = 30
const redrawMs = 80
const plainSteps = 20

/** A bar on a terminal; elsewhere a plain line now and then, so that a log stays readable. */
export function progressOn(out: Terminal = process.stderr): Progress {
  return out.isTTY ? new Bar(out) : new PlainLines(out)
}

class Bar implements Progress {
  readonly #out: Terminal
  #drawn = ''
  #drawnAtMs = 0

  constructor(out: Terminal) {
    this.#out = out
  }

  show(share: number, text: string): void {
    const nowMs = performance.now()
    if (nowMs - this.#drawnAtMs < redrawMs) return
    this.#drawnAtMs = nowMs
    const full = Math.round(Math.min(1, share) * barWidth)
    const bar = `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${String(Math.floor(share * 100)).padStart(3)} % ${text}`
    this.#drawn = bar.slice(0, (this.#out.columns ?? 80) - 1)
    this.#out.write(`\r\u001b[K${this.#drawn}`)
  }

  print(line: string): void {
    this.#out.write(`\r\u001b[K${line}\n${this.#drawn}`)
  }

  end(): void {
    if (this.#drawn !== '') this.#out.write('\r\u001b[K')
    this.#drawn = ''
  }
}

class PlainLines implements Progress {
  readonly #out: Terminal
  #told = ''

  constructor(out: Terminal) {
    this.#out = out
  }

  show(share: number, text: string): void {
    const [what = ''] = text.split(' ')
    const step = `${what} ${Math.floor(share * plainSteps)}`
    if (step === this.#told) return
    this.#told = step
    this.print(`${String(Math.floor(share * 100)).padStart(3)} % ${text}`)
  }

  print(line: string): void {
    this.#out.write(`${line}\n`)
  }

  end(): void {}
}
