import { readFileSync } from 'node:fs'
import process from 'node:process'

/** What a process holds, in megabytes (10⁶ bytes). */
export interface Memory {
  /** All of it: `anon` and `file`. */
  readonly rssMb: number
  /** What it has allocated: its heap, its buffers, its stacks. Nobody else can have it. */
  readonly anonMb: number
  /** Pages of files that it has mapped, the data file above all: the page cache, which the kernel takes back when asked. */
  readonly fileMb: number
}

/** What this process holds now. @see proc_pid_status(5) */
export function memoryNow(): Memory {
  const rssMb = process.memoryUsage.rss() / 1e6
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    const of = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 976.5625
    return { rssMb: of('VmRSS'), anonMb: of('RssAnon'), fileMb: of('RssFile') }
  } catch {
    return { rssMb, anonMb: rssMb, fileMb: 0 }
  }
}

const everyMs = 20

/** Looks at this process every now and then: the most memory it held, and the longest time in which it did nothing else. */
export class Watch {
  #peak: Memory = memoryNow()
  #stallMs = 0
  #lastMs = performance.now()
  readonly #timer = setInterval(() => this.#look(), everyMs)

  #look(): void {
    const nowMs = performance.now()
    this.#stallMs = Math.max(this.#stallMs, nowMs - this.#lastMs - everyMs)
    const { rssMb, anonMb, fileMb } = memoryNow()
    const peak = this.#peak
    this.#peak = {
      rssMb: Math.max(peak.rssMb, rssMb),
      anonMb: Math.max(peak.anonMb, anonMb),
      fileMb: Math.max(peak.fileMb, fileMb),
    }
    this.#lastMs = performance.now()
  }

  /** Ends the looking. */
  end(): { peak: Memory; stallMs: number } {
    this.#look()
    clearInterval(this.#timer)
    return { peak: this.#peak, stallMs: this.#stallMs }
  }
}
