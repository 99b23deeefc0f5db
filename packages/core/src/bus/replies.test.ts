import { describe, expect, it } from 'vitest'
import { isReplyChannel, replyPlaceOf, replyToText } from './replies.ts'

describe('the place of a reply', () => {
  it('is what its text names', () => {
    const place = { channel: 'posthaste.reply.shop', group: 'requester.0123456789ab' }
    expect(replyPlaceOf(replyToText(place))).toEqual(place)
    expect(isReplyChannel(place.channel)).toBe(true)
  })

  it.each([
    undefined,
    '',
    'posthaste.reply.shop',
    'posthaste.reply./requester',
    'posthaste.reply.shop/',
    'posthaste.reply.shop/a/b',
    'posthaste.dead.points.shop.paid/requester',
    'shop.paid/points',
    'shop.paid',
  ])('is no place of any other message: %s', (text) => {
    expect(replyPlaceOf(text)).toBeUndefined()
  })
})
