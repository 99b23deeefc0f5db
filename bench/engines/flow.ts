import { Backlog, backlogFactor } from '../embedded/backlog.ts'

/** The load on a contestant: what it may have under way, and what it has done so far. */
export class Flow {
  /** Most messages that are published and not confirmed. */
  readonly window: number
  readonly #backlog: Backlog | undefined
  confirmed = 0
  handled = 0
  isOver = false

  /** @param handles whether somebody consumes: publishers then wait for whoever is too far behind */
  constructor(window: number, handles: boolean) {
    this.window = window
    this.#backlog = handles ? new Backlog(backlogFactor * window) : undefined
  }

  /** To be asked before `count` messages are published, and waited for. */
  room(count = 1): Promise<void> | undefined {
    return this.#backlog?.more(count)
  }

  /** One was handled. */
  readonly less = (): void => {
    this.handled++
    this.#backlog?.less()
  }

  /** How many are published, or about to be, and not handled. */
  get behind(): number {
    return this.#backlog?.size ?? 0
  }
}

/** Publishes one at a time in each of as many lanes as the window is wide. */
export async function inLanes(flow: Flow, publish: () => Promise<unknown>): Promise<void> {
  const lane = async (): Promise<void> => {
    while (!flow.isOver) {
      const room = flow.room()
      if (room !== undefined) await room
      await publish()
      flow.confirmed++
    }
  }
  await Promise.all(Array.from({ length: flow.window }, lane))
}

/** Publishes a batch at a time, for clients that take several at once; the batches of the window are under way together. */
export async function inBatches(
  flow: Flow,
  batches: number,
  publish: (count: number) => Promise<unknown>,
): Promise<void> {
  const count = Math.floor(flow.window / batches)
  const lane = async (): Promise<void> => {
    while (!flow.isOver) {
      const room = flow.room(count)
      if (room !== undefined) await room
      await publish(count)
      flow.confirmed += count
    }
  }
  await Promise.all(Array.from({ length: batches }, lane))
}
