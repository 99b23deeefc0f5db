import { configOf } from '@posthaste/broker-service'
import { describe, expect, it } from 'vitest'
import { rig } from '../../test/rig.ts'

describe('the hash of a token', () => {
  it('is a line that the configuration of a broker takes for a user, another one each time', async () => {
    const { code, out, err } = await rig().run(['hash-token'], { stdin: 's3cret token\n' })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^"tokens": \["scrypt:[\w-]{22}:[\w-]{43}"\]\n$/)
    const { users } = configOf(`{ "dataDir": "d", "users": { "orders": { ${out} } } }`, {})
    expect(out).toContain(users.orders?.tokens[0])
    expect((await rig().run(['hash-token'], { stdin: 's3cret token' })).out).not.toBe(out)
  })

  it('is one JSON document for machines', async () => {
    const { out } = await rig().run(['hash-token', '--json'], { stdin: 's3cret\r\n' })
    expect(JSON.parse(out)).toEqual({ hash: expect.stringMatching(/^scrypt:/) })
  })

  it.each([
    ['', 'there is no token'],
    ['\n', 'there is no token'],
    ['s3cret\nother\n', 'more than one line'],
    [Uint8Array.of(0xff, 0xfe, 0xff), 'no text in UTF-8'],
  ])('is not made of %j', async (stdin, why) => {
    const { code, out, err } = await rig().run(['hash-token'], { stdin })
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(why)
    expect(err).not.toContain('s3cret')
  })

  it('is not made of an argument, which is not shown either', async () => {
    for (const words of [['s3cret'], ['--token', 's3cret'], ['--json', 's3cret'], ['--token=s3cret']]) {
      const { code, out, err } = await rig().run(['hash-token', ...words], { stdin: 'other\n' })
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(err).not.toContain('s3cret')
    }
  })
})
