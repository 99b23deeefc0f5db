import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AckWindow } from './ack-window.ts'

/** What the server would say: which tags are open, and whether a frame is one that it takes. */
class Server {
  readonly open: Set<number>
  frames = 0

  constructor(count: number) {
    this.open = new Set(Array.from({ length: count }, (_, at) => at + 1))
  }

  readonly ack = (tag: number, multiple: boolean): void => {
    this.frames += 1
    expect(this.open.has(tag), `tag ${tag} is open`).toBe(true)
    for (const each of [...this.open]) if (each === tag || (multiple && each < tag)) this.open.delete(each)
  }
}

describe('acknowledging', () => {
  it('takes a batch without gaps together', () => {
    const server = new Server(5)
    new AckWindow().settle([3, 1, 2], server.ack)
    expect([...server.open]).toEqual([4, 5])
    expect(server.frames).toBe(1)
  })

  it('never acknowledges what is not settled, and leaves nothing that is, in whatever batches it comes', () => {
    const batches = fc
      .shuffledSubarray(Array.from({ length: 30 }, (_, at) => at + 1))
      .chain((tags) => fc.array(fc.nat(tags.length), { maxLength: 8 }).map((cuts) => ({ tags, cuts })))
    fc.assert(
      fc.property(batches, ({ tags, cuts }) => {
        const [server, window, settled] = [new Server(30), new AckWindow(), new Set<number>()]
        const bounds = [0, ...cuts.sort((a, b) => a - b), tags.length]
        for (let at = 1; at < bounds.length; at += 1) {
          const batch = tags.slice(bounds[at - 1], bounds[at])
          for (const tag of batch) settled.add(tag)
          window.settle(batch, server.ack)
          expect([...server.open].some((tag) => settled.has(tag))).toBe(false)
          expect(server.open.size + settled.size).toBe(30)
        }
      }),
    )
  })
})
