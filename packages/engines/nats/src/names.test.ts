import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressee, idToken, nameOf, namesFor, tokenOf } from './names.ts'

const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,240}$/)
const token = /^[^\s.*>]+$/

describe('names on the server', () => {
  it('are tokens, one for each name', () => {
    fc.assert(
      fc.property(name, (each) => {
        expect(tokenOf(each)).toMatch(token)
        expect(nameOf(tokenOf(each))).toBe(each)
      }),
    )
  })

  it('are told by what was made of them, and by nothing else', () => {
    const [names, others] = [namesFor('posthaste'), namesFor('posthaste-2')]
    fc.assert(
      fc.property(name, name, fc.nat(63), (channel, group, range) => {
        const { stream } = names.channel(channel, true)
        expect(names.channelOf(stream)).toBe(channel)
        expect(others.channelOf(stream)).toBeUndefined()
        expect(names.groupOf(names.consumer(group))).toEqual({ group, range: undefined })
        expect(names.groupOf(names.consumer(group, range))).toEqual({ group, range })
      }),
    )
    const foreign = ['posthaste=', 'posthaste', '=a', 'KV_posthaste-members', 'posthaste=a b', 'posthaste=ä']
    expect(foreign.map((each) => names.channelOf(each))).toEqual(foreign.map(() => undefined))
    const consumers = ['', '@later', '@guard', 'a@', 'a@b', 'a@1@2', 'a b', 'ä']
    expect(consumers.map((each) => names.groupOf(each))).toEqual(consumers.map(() => undefined))
  })

  it('fit into what a server takes for the longest name', () => {
    const { stream } = namesFor('x'.repeat(14)).channel('y'.repeat(240), true)
    expect(stream.length).toBeLessThanOrEqual(255)
  })

  it('are those that foreign clients use', () => {
    const names = namesFor('posthaste')
    const keyed = names.channel('shop.order.created', true)
    expect(keyed.stream).toBe('posthaste=shop=order=created')
    expect(keyed.subject(undefined, 3)).toBe('posthaste.shop=order=created.all.3')
    expect(names.channel('mail', false).subject('a.b', undefined)).toBe('posthaste.mail.@a=b')
    expect(names.consumer('a.b')).toBe('a=b')
    expect(names.consumer('a.b', 2)).toBe('a=b@2')
  })

  it('keep groups called all apart from all groups', () => {
    expect(addressee('all')).not.toBe(addressee(undefined))
  })

  it('have an own token for every id', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (id) => {
        expect(idToken(id)).toMatch(token)
        expect(idToken(id).length).toBeLessThan(400)
      }),
    )
    const ids = ['', '-', 'a', 'A', 'a'.repeat(80), 'a'.repeat(81), 'ä', 'a.b', 'a b', '~', '*']
    expect(new Set(ids.map(idToken)).size).toBe(ids.length)
  })
})
