import { describe, expect, it } from 'vitest'
import { directoryOf, kindOf } from './url.ts'

const wanted = (url: string, more = {}) => ({ url, mayCreate: false, ...more })

describe('the URL of an engine', () => {
  it.each([
    ['embedded:./data', 'embedded'],
    ['link://host:7420', 'broker'],
    ['links://host', 'broker'],
    ['link+unix:///run/posthaste.sock', 'broker'],
    ['amqp://me:secret@host/vhost', 'rabbitmq'],
    ['amqps://host', 'rabbitmq'],
    ['kafka://one:9092,two:9092', 'kafka'],
    ['kafkas://host', 'kafka'],
    ['nats://host', 'nats'],
    ['tls://host', 'nats'],
    ['redis://:secret@host/1', 'redis'],
    ['REDISS://host', 'redis'],
  ])('%s means %s', (url, kind) => {
    expect(kindOf(wanted(url))).toBe(kind)
  })

  it.each(['mqtt://me:secret@host', './data', 'secret'])('%s is refused, and no part of it repeated', (url) => {
    expect(() => kindOf(wanted(url))).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(() => kindOf(wanted(url))).not.toThrow(/secret/)
  })

  it.each([
    ['embedded:./data', { prefix: 'a-' }, '--prefix'],
    ['link://host', { prefix: 'a-' }, '--prefix'],
    ['redis://host', { token: 'abc' }, '--token'],
    ['embedded:./data', { tls: {} }, '--tls'],
  ])('%s takes no option that is not of its engine', (url, more, option) => {
    expect(() => kindOf(wanted(url, more))).toThrow(option)
  })

  it.each([
    ['embedded:./data', './data'],
    ['embedded:data', 'data'],
    ['embedded:/var/data', '/var/data'],
    ['embedded:///var/data', '/var/data'],
    ['embedded://./data', './data'],
  ])('%s names the directory %s', (url, dir) => {
    expect(directoryOf(url)).toBe(dir)
  })

  it.each(['embedded:', 'embedded://host/dir'])('%s names none', (url) => {
    expect(() => directoryOf(url)).toThrow('names no directory')
  })
})
