import type { App } from 'posthaste'
import type { Progress, Terminal } from '../replay/progress.ts'
import { boardOf, changesBetween } from './board.ts'

const redrawMs = 1_000
const clearLine = '\u001b[K'
const clearBelow = '\u001b[J'

/** How it is looked at an application. */
export interface ViewOptions {
  readonly out: Terminal
  /** What else is shown, above the board. */
  readonly progress?: Progress | undefined
}

/**
 * Shows how an application takes trouble, once a second: on a terminal a board that is redrawn, elsewhere a line for each
 * change of a state. Is shown with, and ends as, the progress of something else.
 */
export function viewOf(app: Pick<App, 'snapshot'>, { out, progress = silent }: ViewOptions): Progress {
  const view = out.isTTY ? new Board(app, out) : new Changes(app, out, progress)
  const timer = setInterval(() => view.look(), redrawMs)
  // It is nothing to stay alive for.
  timer.unref()
  let hasEnded = false
  return {
    show: (share, text) => view.show(share, text),
    print: (line) => view.print(line),
    end() {
      if (hasEnded) return
      hasEnded = true
      clearInterval(timer)
      view.end()
    },
  }
}

const silent: Progress = { show() {}, print() {}, end() {} }

/** Redraws itself in place, below whatever was printed. */
class Board implements Progress {
  readonly #app: Pick<App, 'snapshot'>
  readonly #out: Terminal
  #head = ''
  #drawn = 0

  constructor(app: Pick<App, 'snapshot'>, out: Terminal) {
    this.#app = app
    this.#out = out
  }

  /** Redraws only once a second: an eye is no faster. */
  show(share: number, text: string): void {
    this.#head = `${String(Math.floor(share * 100)).padStart(3)} % ${text}`
  }

  print(line: string): void {
    this.#out.write(`${this.#home()}${line}\n`)
    this.#drawn = 0
  }

  look(): void {
    const lines = [...(this.#head === '' ? [] : [this.#head]), ...boardOf(this.#app.snapshot())]
    const columns = (this.#out.columns ?? 80) - 1
    const text = lines.map((line) => `${line.slice(0, columns)}${clearLine}\n`).join('')
    this.#out.write(`${this.#home()}${text}`)
    this.#drawn = lines.length
  }

  /** Leaves the last board standing. */
  end(): void {
    this.look()
    this.#drawn = 0
  }

  /** Back to where the board begins, which is then overwritten. */
  #home(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\r${clearBelow}`
  }
}

/** Tells each change of a state on a line of its own, and leaves progress to whoever shows it otherwise. */
class Changes implements Progress {
  readonly #app: Pick<App, 'snapshot'>
  readonly #out: Terminal
  readonly #progress: Progress
  #before: ReturnType<App['snapshot']>

  constructor(app: Pick<App, 'snapshot'>, out: Terminal, progress: Progress) {
    this.#app = app
    this.#out = out
    this.#progress = progress
    this.#before = app.snapshot()
  }

  show(share: number, text: string): void {
    this.#progress.show(share, text)
  }

  print(line: string): void {
    this.#progress.print(line)
  }

  look(): void {
    const now = this.#app.snapshot()
    for (const line of changesBetween(this.#before, now)) this.#out.write(`${line}\n`)
    this.#before = now
  }

  end(): void {
    this.look()
    const [faults] = boardOf(this.#before)
    this.#out.write(`${faults}\n`)
    this.#progress.end()
  }
}
