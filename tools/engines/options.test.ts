import { describe, expect, it } from 'vitest'
import { parseCommand } from './options.ts'
import { serverNames } from './recipe.ts'

describe('the command line', () => {
  it('means all servers when none is named', () => {
    expect(parseCommand(['up'])).toEqual({ action: 'up', names: serverNames, json: false })
  })

  it('means each server once, in the order of their names', () => {
    const { action, names, json } = parseCommand(['down', 'redis', 'nats-2.9', 'redis', '--json'])
    expect({ action, names, json }).toEqual({ action: 'down', names: ['redis', 'nats-2.9'], json: true })
  })

  it('tells every mistake at once, and how it is called', () => {
    expect(() => parseCommand(['start', 'redis', 'mongo', 'etcd'])).toThrow(
      /say up, down or status; there is no server 'mongo'; there is no server 'etcd'\nnpm run engines/,
    )
    expect(() => parseCommand([])).toThrow(/say up, down or status/)
    expect(() => parseCommand(['up', '--all'])).toThrow(/--all/)
  })
})
