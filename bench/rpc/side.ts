import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { basename } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

/** A process of the benchmark: one side of a contestant. Ends with this one, whose end closes its standard input. */
export class Side {
  readonly #what: string
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #answers: AsyncIterator<string>

  /** @param program path of a program that answers each line of JSON with another */
  constructor(program: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
    this.#what = `${basename(program)} ${args[0] ?? ''}`
    this.#child = spawn(process.execPath, ['--conditions=source', '--expose-gc', program, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    // A program that ends early is found by its missing answer.
    this.#child.stdin.on('error', () => {})
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** @throws Error when the process ends, or has no answer in time */
  async ask<T>(task: unknown, msMax = 60_000): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(task)}\n`)
    return this.answer(msMax)
  }

  /** What it says next. @throws Error as `ask` */
  async answer<T>(msMax = 60_000): Promise<T> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), msMax)
    const { done, value } = await this.#answers.next()
    clearTimeout(timer)
    if (done === true) throw new Error(`${this.#what} ended without an answer`)
    return JSON.parse(value) as T
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await ended
  }
}
