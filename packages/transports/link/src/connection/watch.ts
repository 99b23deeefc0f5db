import type { LimitSettings } from './limits.ts'

/** What a connection looks like at one moment. */
export interface Sight {
  readonly nowMs: number
  /** When bytes came last. */
  readonly heardAtMs: number
  /** Frames so far, and whether one is underway. */
  readonly frames: number
  readonly underway: boolean
  /** Whether the pipe is full, and how often it has had room again. */
  readonly blocked: boolean
  readonly drains: number
  readonly greeting: boolean
  readonly closing: boolean
  /** Bytes that were written and have not left. */
  readonly unsentBytes: number
}

/** What is to be done: `gone` where there is nobody who could be told. */
export type WatchStep = 'nothing' | 'ping' | 'destroy' | { readonly message: string; readonly gone: boolean }

/** How long a connection that is being closed may take; where its last bytes matter, the least that it may. */
const closeMs = 5_000

/** Keeps an eye on one connection: is the other side there, does it send what it has begun, does it read. */
export class Watch {
  readonly #limits: LimitSettings
  readonly #beganAtMs: number
  #closingAtMs = 0
  /** Whether a connection that closes may take as long as the other side goes on reading. */
  #isPatient = false
  #unsentBytes = Number.POSITIVE_INFINITY
  #leftAtMs = 0
  #pingedAtMs: number | undefined
  #frames = -1
  #frameAtMs = 0
  #drains = -1
  #blockedAtMs = 0
  #keepaliveMs: number

  constructor(limits: LimitSettings, nowMs: number) {
    this.#limits = limits
    this.#beganAtMs = nowMs
    this.#keepaliveMs = limits.keepaliveMs
  }

  /** The silence after which a PING is sent, where it is another than that of the limits. */
  set keepaliveMs(silenceMs: number) {
    this.#keepaliveMs = silenceMs
  }

  /** The connection is being closed from now on; patiently where the other side may read its last bytes as slowly as any. */
  closeFrom(nowMs: number, isPatient: boolean): void {
    this.#closingAtMs = nowMs
    this.#leftAtMs = nowMs
    this.#isPatient = isPatient
  }

  /** There is no more time to close patiently. */
  hurry(): void {
    this.#isPatient = false
  }

  /** Looks once. */
  look(sight: Sight): WatchStep {
    const { nowMs } = sight
    const { handshakeMs, stallMs } = this.#limits
    if (sight.closing) return this.#mayStillClose(sight) ? 'nothing' : 'destroy'
    if (sight.greeting) {
      if (nowMs - this.#beganAtMs <= handshakeMs) return 'nothing'
      return { message: `did not say HELLO within ${handshakeMs} ms`, gone: true }
    }
    if (!sight.underway || sight.frames !== this.#frames) this.#frameAtMs = nowMs
    this.#frames = sight.frames
    if (nowMs - this.#frameAtMs > stallMs) return { message: `did not end a frame within ${stallMs} ms`, gone: false }
    if (!sight.blocked || sight.drains !== this.#drains) this.#blockedAtMs = nowMs
    this.#drains = sight.drains
    if (nowMs - this.#blockedAtMs > stallMs) return { message: `read nothing within ${stallMs} ms`, gone: true }
    return this.#lookForLife(sight)
  }

  /** Whoever reads makes room for bytes that wait, or is heard; once all have left, whoever is not heard is taken for gone. */
  #mayStillClose({ nowMs, heardAtMs, unsentBytes }: Sight): boolean {
    if (!this.#isPatient) return nowMs - this.#closingAtMs <= closeMs
    if (unsentBytes < this.#unsentBytes) this.#leftAtMs = nowMs
    this.#unsentBytes = unsentBytes
    const { stallMs, keepaliveTimeoutMs } = this.#limits
    const patienceMs = unsentBytes > 0 ? stallMs : Math.min(stallMs, this.#keepaliveMs + keepaliveTimeoutMs)
    return nowMs - Math.max(this.#leftAtMs, heardAtMs) <= Math.max(patienceMs, closeMs)
  }

  #lookForLife({ nowMs, heardAtMs }: Sight): WatchStep {
    const { keepaliveTimeoutMs } = this.#limits
    if (nowMs - heardAtMs < this.#keepaliveMs) {
      this.#pingedAtMs = undefined
      return 'nothing'
    }
    if (this.#pingedAtMs === undefined || this.#pingedAtMs < heardAtMs) {
      this.#pingedAtMs = nowMs
      return 'ping'
    }
    if (nowMs - this.#pingedAtMs < keepaliveTimeoutMs) return 'nothing'
    return { message: `has not been heard for ${Math.round(nowMs - heardAtMs)} ms`, gone: true }
  }
}
