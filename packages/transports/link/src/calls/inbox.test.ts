import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { collected } from '../../test/apps.ts'
import { Inbox } from './inbox.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** An inbox of texts; the text `bad` cannot be read. */
function rig() {
  const told: string[] = []
  let consumed = 0
  const inbox = new Inbox({
    stream: {
      consumed(count) {
        consumed += count
      },
    },
    read(body) {
      const text = new TextDecoder().decode(body)
      if (text === 'bad') throw new PosthasteError('BODY_MALFORMED', 'bad')
      return text
    },
    left: () => void told.push('left'),
    unreadable: ({ code }) => void told.push(code),
  })
  const push = (...texts: string[]): void => {
    for (const text of texts) inbox.push(bytes(text), 0)
  }
  return { inbox, push, told, consumed: () => consumed }
}

describe('an inbox', () => {
  it('hands items out in the order they came, before the end', async () => {
    const { inbox, push } = rig()
    push('a', 'b')
    inbox.end()
    expect(await collected(inbox)).toEqual(['a', 'b'])
    expect(await inbox.next()).toEqual({ done: true, value: undefined })
  })

  it('gives credit back for an item when it is asked for, and not before', async () => {
    const { inbox, push, consumed } = rig()
    push('one', 'three')
    expect(consumed()).toBe(0)
    await inbox.next()
    expect(consumed()).toBe(3)
    await inbox.next()
    expect(consumed()).toBe(8)
    const waiting = inbox.next()
    push('two')
    expect(await waiting).toEqual({ done: false, value: 'two' })
    expect(consumed()).toBe(11)
  })

  it('hands out what came before a failure, then the failure once, then the end', async () => {
    const { inbox, push } = rig()
    push('a')
    const error = new PosthasteError('UNAVAILABLE', 'gone')
    inbox.fail(error)
    expect(await inbox.next()).toEqual({ done: false, value: 'a' })
    await expect(inbox.next()).rejects.toBe(error)
    expect(await inbox.next()).toEqual({ done: true, value: undefined })
  })

  it('fails whoever waits', async () => {
    const { inbox } = rig()
    const waiting = inbox.next()
    const error = new PosthasteError('CANCELLED', 'gone')
    inbox.fail(error)
    await expect(waiting).rejects.toBe(error)
  })

  it.each(['waiting', 'queued'])('ends with a message that cannot be read (%s), and says so', async (how) => {
    const { inbox, push, told } = rig()
    if (how === 'queued') push('bad', 'more')
    const next = inbox.next()
    if (how === 'waiting') push('bad', 'more')
    await expect(next).rejects.toMatchObject({ code: 'BODY_MALFORMED' })
    expect(told).toEqual(['BODY_MALFORMED'])
    expect(await inbox.next()).toEqual({ done: true, value: undefined })
  })

  it('drops what waits when nobody wants more, gives its credit back, and says so once', async () => {
    const { inbox, push, told, consumed } = rig()
    push('a', 'bb')
    for await (const item of inbox) {
      expect(item).toBe('a')
      break
    }
    await inbox.return()
    expect(told).toEqual(['left'])
    expect(consumed()).toBe(3)
    push('late')
    expect(consumed()).toBe(7)
    expect(await inbox.next()).toEqual({ done: true, value: undefined })
  })

  it('says nothing of leaving after its end', async () => {
    const { inbox, told } = rig()
    inbox.end()
    await inbox.return()
    expect(told).toEqual([])
  })

  it('ends for whoever waits when the call is over, without saying so', async () => {
    const { inbox, told } = rig()
    const waiting = inbox.next()
    inbox.close()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(told).toEqual([])
  })

  it('keeps small messages apart from the buffer they came in', async () => {
    const { inbox } = rig()
    const buffer = Buffer.from('abc')
    inbox.push(buffer, 0)
    buffer.fill('x')
    expect(await inbox.next()).toEqual({ done: false, value: 'abc' })
  })
})
