import type { Clock, Engine, EngineCapabilities, PosthasteError } from '@posthaste/contracts'
import { type MemoryStore, memory, memoryStore } from '@posthaste/memory'
import { type ManualClock, manualClock, silentLog } from 'posthaste/testing'
import type { Connect } from '../src/engine/connect.ts'
import type { Io, Out } from '../src/io.ts'
import { run } from '../src/run.ts'

/** What a command line came to. */
export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** How a command line is run. */
export interface RunWith {
  readonly stdin?: string | Uint8Array
  /** What a person answers; without one there is nobody to ask. */
  readonly answer?: string
  readonly env?: Readonly<Record<string, string>>
  readonly isTerminal?: boolean
  readonly signal?: AbortSignal
  /** Told of all that is written, as it comes. */
  readonly onText?: (text: string) => void
}

/** The program in this process, on an engine in memory whose data outlives each command. */
export interface Rig {
  readonly clock: ManualClock
  /** Questions that were asked. */
  readonly asked: string[]
  readonly connect: Connect
  run(words: readonly string[], how?: RunWith): Promise<Ended>
  /** Does something on the engine between two commands. */
  with<T>(work: (engine: Engine) => Promise<T>): Promise<T>
}

export function rig(change: (engine: Engine) => Engine = (engine) => engine): Rig {
  const clock = manualClock()
  const store: MemoryStore = memoryStore()
  const asked: string[] = []
  const answered = async (question: string, answer: string): Promise<string> => {
    asked.push(question)
    return answer
  }
  const connect: Connect = async () => change(memory({ store }))
  return {
    clock,
    asked,
    connect,
    async run(words, how = {}) {
      const { answer } = how
      const ask = answer === undefined ? undefined : (question: string) => answered(question, answer)
      return ended(words, { how, clock, ask, connect })
    },
    async with(work) {
      const engine = memory({ store })
      await engine.open({ clock, log: silentLog, instance: 'rig', random: () => 0.5, onState: () => {} })
      return work(engine).finally(() => engine.close())
    },
  }
}

/** What else a command line is run in. */
interface RunIn {
  readonly how: RunWith
  readonly clock: Clock
  readonly ask?: Io['ask']
  readonly connect?: Connect
}

/** Runs a command line in this process; on the engine that it names, unless one is given. */
export async function ended(words: readonly string[], { how, clock, ask, connect }: RunIn): Promise<Ended> {
  const { env = {}, isTerminal = false, signal = new AbortController().signal, onText, stdin = '' } = how
  const out = sink(isTerminal, onText)
  const err = sink(isTerminal, onText)
  const io: Io = {
    out,
    err,
    input: bytesOf(stdin),
    inputIsTerminal: false,
    ask,
    env: { POSTHASTE_ENGINE: 'embedded:./memory', ...env },
    clock,
    signal,
  }
  const code = await run(words, io, { connect })
  return { code, out: out.text(), err: err.text() }
}

function sink(isTerminal: boolean, onText: (text: string) => void = () => {}): Out & { text(): string } {
  let all = ''
  return {
    isTerminal,
    columns: isTerminal ? 80 : undefined,
    text: () => all,
    write: async (text) => {
      all += text
      onText(text)
    },
  }
}

/** In pieces, as pipes have it. */
const pieceBytes = 7

async function* bytesOf(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

/** An engine that lacks some of its abilities. */
export function without(engine: Engine, ...abilities: readonly (keyof Engine)[]): Engine {
  return new Proxy(engine, {
    get: (target, name) => {
      if (abilities.includes(name as keyof Engine)) return undefined
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** An engine that fails to open. */
export function failing(error: PosthasteError): (engine: Engine) => Engine {
  return (engine) => Object.assign(without(engine), { open: () => Promise.reject(error) })
}

/** An engine that can do less than it could. */
export function lessCapable(engine: Engine, less: Partial<EngineCapabilities>): Engine {
  return new Proxy(without(engine), {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      return name === 'capabilities' ? { ...(value as EngineCapabilities), ...less } : value
    },
  })
}
