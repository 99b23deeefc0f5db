import { join } from 'node:path'
import type { ContestantName } from './contestants.ts'
import type { StreamFigures, Task, UnaryFigures } from './load.ts'
import { Side } from './side.ts'

/** What the server of a contestant has used so far. */
interface Usage {
  readonly cpuUs: number
  readonly bytes: number
}

/** Unary calls, with what they cost on both sides. */
export interface UnaryResult extends UnaryFigures {
  /** Processor time of the server for each call. */
  readonly serverUs: number
}

type UnaryTask = Extract<Task, { kind: 'unary' }>
type StreamTask = Extract<Task, { kind: 'stream' }>

/** A contestant on the field: a server and a client, each in a process of its own. */
export class Match {
  readonly name: ContestantName
  readonly #server: Side
  readonly #client: Side

  private constructor(name: ContestantName, server: Side, client: Side) {
    this.name = name
    this.#server = server
    this.#client = client
  }

  static async begin(name: ContestantName, env: Readonly<Record<string, string | undefined>> = {}): Promise<Match> {
    const server = new Side(join(import.meta.dirname, 'server-program.ts'), [name], env)
    const { at } = await server.answer<{ at: string }>()
    return new Match(name, server, new Side(join(import.meta.dirname, 'client-program.ts'), [name, at], env))
  }

  async unary(task: Omit<UnaryTask, 'kind'>): Promise<UnaryResult> {
    const before = await this.#usage()
    const figures = await this.#client.ask<UnaryFigures>({ kind: 'unary', ...task })
    const after = await this.#usage()
    const calls = figures.perSecond * (task.ms / 1_000)
    return { ...figures, serverUs: (after.cpuUs - before.cpuUs) / calls }
  }

  stream(task: Omit<StreamTask, 'kind'>): Promise<StreamFigures> {
    return this.#client.ask({ kind: 'stream', ...task })
  }

  /** Bytes of the server for each connection that does nothing. */
  async bytesPerConnection(connections: number): Promise<number> {
    await this.#client.ask({ kind: 'idle', connections: 1 })
    const before = await this.#usage('memory')
    await this.#client.ask({ kind: 'idle', connections: 1 + connections }, 120_000)
    const after = await this.#usage('memory')
    return (after.bytes - before.bytes) / connections
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server.stop(), this.#client.stop()])
  }

  #usage(of: 'time' | 'memory' = 'time'): Promise<Usage> {
    return this.#server.ask(of)
  }
}
