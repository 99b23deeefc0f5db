import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { News } from './stage.ts'

/** A stage that is open. */
export interface OpenStage {
  readonly url: string
  /** @throws where the command fails, or the stage ends before it answers */
  ask<Result>(command: string, input?: unknown): Promise<Result>
  /** Lets it close well, and waits until its process has ended. Idempotent. */
  close(): Promise<void>
}

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

/**
 * Starts the program of a stage.
 * @param options anything that JSON can say
 * @throws where the stage ends before it is open
 */
export async function openStage(program: URL, options: object): Promise<OpenStage> {
  const path = fileURLToPath(program)
  const child = fork(path, [JSON.stringify(options)], { execArgv: ['--conditions=source'] })
  const stage = new ForkedStage(child)
  await stage.opened
  return stage
}

/**
 * Starts a program once for each options, plays on all of these stages, and closes them, whatever happens.
 * @throws what playing throws, or the first stage that does not open
 */
export async function onStages<Result>(
  program: URL,
  options: readonly object[],
  play: (...stages: OpenStage[]) => Promise<Result>,
): Promise<Result> {
  const openings = await Promise.allSettled(options.map((each) => openStage(program, each)))
  const stages = openings.flatMap((opening) => (opening.status === 'fulfilled' ? [opening.value] : []))
  try {
    const failed = openings.find((opening) => opening.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return await play(...stages)
  } finally {
    await Promise.all(stages.map((stage) => stage.close()))
  }
}

class ForkedStage implements OpenStage {
  readonly opened: Promise<void>
  url = ''
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #waiting = new Map<number, Waiting>()
  #asked = 0

  constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = new Promise((resolve) => child.once('exit', resolve))
    this.opened = new Promise((resolve, reject) => this.#waiting.set(0, { resolve: () => resolve(), reject }))
    child.on('message', (news: News) => this.#hear(news))
    // It could not be started, or has gone before it heard an order.
    child.on('error', (error) => this.#fail(error))
    child.once('exit', (code, signal) => this.#fail(new Error(`the stage ended with ${signal ?? code}`)))
  }

  ask<Result>(command: string, input?: unknown): Promise<Result> {
    this.#asked += 1
    const no = this.#asked
    return new Promise<unknown>((resolve, reject) => {
      if (!this.#child.connected) {
        reject(new Error(`the stage has ended, and cannot '${command}'`))
        return
      }
      this.#waiting.set(no, { resolve, reject })
      this.#child.send({ no, command, input })
    }) as Promise<Result>
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#exited
  }

  #hear(news: News): void {
    if (news.kind === 'open') {
      this.url = news.url
      this.#take(0)?.resolve(undefined)
    } else if (news.kind === 'done') this.#take(news.no)?.resolve(news.result)
    else this.#take(news.no)?.reject(new Error(news.reason))
  }

  #take(no: number): Waiting | undefined {
    const waiting = this.#waiting.get(no)
    this.#waiting.delete(no)
    return waiting
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
