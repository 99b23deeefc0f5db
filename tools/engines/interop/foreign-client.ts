import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** An event as a foreign client sends and shows it: attributes by their names, data as base64. */
export interface ForeignEvent {
  readonly attributes: Readonly<Record<string, string>>
  readonly data: string
}

/** A client in another language, as a process of its own: one request, then one answer. */
export class ForeignClient {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  #said = ''

  constructor([command, ...args]: readonly [string, ...string[]]) {
    this.#process = spawn(command, args)
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text
    })
    this.#process.stdin.on('error', () => {})
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  /**
   * Gives a request and waits for its answer.
   * @throws Error with what the client says when it fails or ends
   */
  async ask<T>(request: Readonly<Record<string, unknown>>): Promise<T> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`the client ended: ${this.#said}`)
    const answer = JSON.parse(value) as { readonly error?: string }
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer as T
  }

  /** Ends it. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }
}
