import type { Clock, Engine, EngineHost, Log } from '@posthaste/contracts'
import { complete } from 'posthaste/bus'
import { silentLog } from 'posthaste/pipeline'
import type { TcpProxy } from './faults/tcp-proxy.ts'
import type { Offer } from './guarantees/guarantee.ts'
import type { SuiteSettings } from './settings.ts'

/** Makes installations of one engine for the suite: a directory, a virtual host, a store in memory. */
export interface EngineHarness {
  /** A fresh and empty one, with an engine that is open. Each case gets its own. */
  create(): Promise<EngineUnderTest>
  /**
   * The same on the machine's time, where `create` gives installations on virtual time: only there it shows how late what
   * is due comes. Cases about that are skipped without it.
   */
  createOnMachineTime?(): Promise<EngineUnderTest>
  /**
   * How many installations may be in use at the same time, a whole number from 1; default 1. For engines behind a network,
   * whose cases wait more than they work. Cases about how late something comes run alone all the same.
   */
  readonly parallel?: number | undefined
  /** What suits the engine better than the defaults: less volume for a server that is far away, more patience for a slow one. */
  readonly settings?: Partial<SuiteSettings> | undefined
}

/** What cases do to a network. */
export type EngineNetwork = Pick<
  TcpProxy,
  'cut' | 'refuse' | 'accept' | 'delay' | 'halfClose' | 'blackHole' | 'heal' | 'connections'
>

/** One installation of an engine, and what a case may do to it. */
export interface EngineUnderTest {
  /** Open and ready for `declare`; another object after `restart` and `crash`. */
  readonly engine: Engine
  /** What the engine has before the core completes it; what `engine` has if absent. */
  readonly declared?: Offer | undefined
  readonly host: EngineHost
  /** Closes the engine in order and opens another on the same state. */
  restart(): Promise<void>
  /** Ends the engine as `kill -9` would and opens another on the same state; absent where that cannot be done. */
  crash?: (() => Promise<void>) | undefined
  /** Moves the host's clock; absent where time is the machine's, and the suite waits. */
  advance?: ((ms: number) => Promise<void>) | undefined
  /** What stands between the engine and its server; absent where there is none, or nothing can be done to it. */
  readonly network?: EngineNetwork | undefined
  /** Removes everything. Called once per case, whatever happened, after the engine was closed. */
  cleanup(): Promise<void>
}

/** What {@link engineUnderTest} builds on. */
export interface Installation {
  /**
   * Makes an engine on the installation's state; the suite opens and closes it. As it is: what it lacks and the core can
   * stand in for is added, as an application would have it.
   */
  connect(): Engine
  readonly clock: Clock
  readonly log?: Log | undefined
  /** Ends the engine as `kill -9` would: nothing is written, handed back or answered any more. */
  readonly crash?: ((engine: Engine) => Promise<void>) | undefined
  /** Moves `clock`, where it is a clock for tests. */
  readonly advance?: ((ms: number) => Promise<void>) | undefined
  /** The proxy that engines of `connect` reach their server through: it turns on the cases about faults of a network. */
  readonly network?: EngineNetwork | undefined
  readonly cleanup?: (() => Promise<void>) | undefined
}

/** Opens an engine on an installation, and again after each restart and crash: all that most harnesses need. */
export async function engineUnderTest(installation: Installation): Promise<EngineUnderTest> {
  const { connect, clock, crash, advance, log = silentLog } = installation
  const host: EngineHost = { clock, log, instance: 'conformance', random: () => 0.5, onState: () => {} }
  let declared = connect()
  let engine = complete(declared)
  const reopen = async (): Promise<void> => {
    declared = connect()
    engine = complete(declared)
    await engine.open(host)
  }
  try {
    await engine.open(host)
  } catch (error) {
    // Nobody else can: there is no installation to clean up yet, and what it made so far would stay.
    await installation.cleanup?.().catch(() => {})
    throw error
  }
  return {
    get engine() {
      return engine
    },
    get declared() {
      return declared
    },
    host,
    async restart() {
      await engine.close()
      await reopen()
    },
    crash: crash && (() => crash(declared).then(reopen)),
    advance,
    get network() {
      return installation.network
    },
    cleanup: async () => installation.cleanup?.(),
  }
}
