import { PosthasteError } from '@posthaste/contracts'
import type { Distribution, Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** How an instance is at one moment. */
export interface Health {
  /** `refusing`: its machine answers at once that nobody listens. `silent`: nothing comes back. */
  readonly down?: 'refusing' | 'silent' | undefined
  /** The share of its answers that are errors, 0 to 1. They take as long as the others. */
  readonly errorShare: number
  /** How many times as long its work takes. */
  readonly slowness: number
}

/** Nothing is wrong. */
export const well: Health = { errorShare: 0, slowness: 1 }

/** A number of equal instances behind one name, and how they do over time. */
export interface FleetSpec {
  readonly instances: number
  /** How many calls an instance works on at a time; others wait in its queue, which nobody bounds. */
  readonly workers: number
  readonly serviceMs: Distribution
  /** One way. */
  readonly networkMs: number
  /** How an instance, from 0, is at a time since the beginning. */
  readonly health: (instance: number, elapsedMs: number) => Health
}

/** Told how a call ended: with a failure, or well. */
export type Done = (failure?: Error) => void

/** What an instance does after its own work: it calls somebody else, whose failure is its own. */
export type Handler = (instance: number, deadlineAtMs: number, done: Done) => void

/** What an instance has in front of its queue, and may refuse there. */
export type Guard = (work: () => Promise<void>) => Promise<void>

/** What the instances of a fleet do beyond their own work; nothing of it unless said. */
export interface Conduct {
  readonly handler?: Handler | undefined
  /** Makes the guard of an instance, from 0. */
  readonly guard?: ((instance: number) => Guard) | undefined
}

const refused = new PosthasteError('UNAVAILABLE', 'nobody listens')
const failed = new PosthasteError('UNAVAILABLE', 'the callee failed')

interface Request {
  /** When its caller gives up, where the request says so; in monotonic milliseconds. */
  readonly deadlineAtMs: number
  readonly answer: Done
}

interface Instance {
  readonly index: number
  readonly guard: Guard | undefined
  readonly waiting: Request[]
  /** How many of `waiting` are done with: a queue of an array, without moving it. */
  taken: number
  working: number
}

/**
 * Instances of a service. Each call goes to one of them at random, as behind a virtual address. What an instance has taken
 * on it works on to the end, though its caller may have given up: that is what makes overload last.
 */
export class Fleet {
  /** When calls reached it, in milliseconds since the beginning, those included that nobody was there to take. */
  readonly arrivals: number[] = []
  readonly #spec: FleetSpec
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #instances: readonly Instance[]
  readonly #handler: Handler | undefined

  constructor(spec: FleetSpec, world: { readonly timeline: Timeline; readonly random: Random }, conduct: Conduct = {}) {
    this.#spec = spec
    this.#timeline = world.timeline
    this.#random = world.random
    this.#handler = conduct.handler
    this.#instances = Array.from({ length: spec.instances }, (_, index) => {
      return { index, guard: conduct.guard?.(index), waiting: [], taken: 0, working: 0 }
    })
  }

  /** How many calls wait or are worked on. */
  get load(): number {
    return this.#instances.reduce((sum, { waiting, taken, working }) => sum + waiting.length - taken + working, 0)
  }

  /** Sends a call; `done` is told how it ended when the answer is back, and never if none comes. */
  send(deadlineAtMs: number, done: Done): void {
    const instance = this.#instances[Math.floor(this.#random() * this.#instances.length)]!
    const { networkMs } = this.#spec
    const answer: Done = (failure) => void this.#timeline.setTimer(networkMs, () => done(failure))
    this.#timeline.setTimer(networkMs, () => this.#arrive(instance, { deadlineAtMs, answer }))
  }

  #arrive(instance: Instance, request: Request): void {
    this.arrivals.push(this.#timeline.elapsedMs)
    const { down } = this.#healthOf(instance)
    if (down === 'refusing') request.answer(refused)
    else if (down === undefined) this.#admit(instance, request)
  }

  #admit(instance: Instance, request: Request): void {
    const { guard } = instance
    if (guard === undefined) {
      this.#enqueue(instance, request)
      return
    }
    const work = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const answer: Done = (failure) => (failure === undefined ? resolve() : reject(failure))
        this.#enqueue(instance, { ...request, answer })
      })
    guard(work).then(() => request.answer(), request.answer)
  }

  #enqueue(instance: Instance, request: Request): void {
    instance.waiting.push(request)
    this.#next(instance)
  }

  #next(instance: Instance): void {
    if (instance.working >= this.#spec.workers) return
    const request = instance.waiting[instance.taken]
    if (request === undefined) return
    instance.taken++
    if (instance.taken === instance.waiting.length) {
      instance.waiting.length = 0
      instance.taken = 0
    }
    instance.working++
    this.#work(instance, request)
  }

  #work(instance: Instance, { deadlineAtMs, answer }: Request): void {
    const { slowness, errorShare } = this.#healthOf(instance)
    const failing = this.#random() < errorShare
    this.#timeline.setTimer(this.#spec.serviceMs(this.#random) * slowness, () => {
      instance.working--
      this.#next(instance)
      const { down } = this.#healthOf(instance)
      if (down === 'silent') return
      if (failing || down === 'refusing') answer(failed)
      // Waiting for somebody else takes no worker: nothing blocks.
      else if (this.#handler !== undefined) this.#handler(instance.index, deadlineAtMs, answer)
      else answer()
    })
  }

  #healthOf(instance: Instance): Health {
    return this.#spec.health(instance.index, this.#timeline.elapsedMs)
  }
}
