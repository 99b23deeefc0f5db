import { afterEach, describe, expect, it } from 'vitest'
import { ForeignClient } from './foreign-client.ts'

const clients: ForeignClient[] = []

afterEach(async () => {
  for (const each of clients.splice(0)) await each.close()
})

/** A client in JavaScript: `answer` makes the answer of the request. */
function client(answer: string): ForeignClient {
  const code = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const request = JSON.parse(line)
    ${answer}
  })`
  const made = new ForeignClient([process.execPath, '--eval', code])
  clients.push(made)
  return made
}

describe('a client in another language', () => {
  it('answers one request after the other', async () => {
    const doubling = client('console.log(JSON.stringify({ twice: request.number * 2 }))')
    expect(await doubling.ask({ number: 21 })).toEqual({ twice: 42 })
    expect(await doubling.ask({ number: 4 })).toEqual({ twice: 8 })
  })

  it('may fail at a request and go on', async () => {
    const moody = client('console.log(JSON.stringify(request.fail ? { error: "no such topic" } : { ok: true }))')
    await expect(moody.ask({ fail: true })).rejects.toThrow('no such topic')
    expect(await moody.ask({})).toEqual({ ok: true })
  })

  it('that ends is told with what it said', async () => {
    const ending = client('console.error("cannot connect"); process.exit(1)')
    await expect(ending.ask({})).rejects.toThrow(/the client ended: cannot connect/)
  })

  it('is closed for good, even twice', async () => {
    const silent = client('')
    await silent.close()
    await silent.close()
    await expect(silent.ask({})).rejects.toThrow(/the client ended/)
  })
})
