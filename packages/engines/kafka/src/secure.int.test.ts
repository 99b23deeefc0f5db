import { readFileSync } from 'node:fs'
import { PosthasteError } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { recordingLog } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { howToStart, server } from '../test/installation.ts'
import { kafka } from './engine.ts'
import type { KafkaOptions } from './options.ts'

async function open(options: KafkaOptions, told: (error: PosthasteError) => string = ({ code }) => code) {
  const engine = kafka({ timeoutMs: 4_000, ...options })
  const host = { clock: systemClock, log: recordingLog(), instance: 'test', random: () => 0.5, onState: () => {} }
  try {
    await engine.open(host)
    return 'connected'
  } catch (error) {
    expect(String(error)).not.toContain('s3cret')
    return PosthasteError.is(error) ? told(error) : String(error)
  } finally {
    await engine.close()
  }
}

describe('a connection with TLS and credentials', { timeout: 30_000 }, () => {
  const { tlsUrl, caFile, username, password } = server ?? {}
  if (tlsUrl === undefined || caFile === undefined || username === undefined || password === undefined) {
    it('needs a server', (context) => context.skip(howToStart))
    return
  }
  const { hostname, port } = new URL(tlsUrl)
  const place = { brokers: [`${hostname}:${port}`], reach: () => ({ host: hostname, port: Number(port) }) }
  const tls = { ca: readFileSync(caFile, 'utf8') }

  it('is made', async () => {
    expect(await open({ ...place, tls, sasl: { mechanism: 'PLAIN', username, password } })).toBe('connected')
  })

  it('takes credentials from the url, too, and shows them by SCRAM', async () => {
    const url = `kafkas://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${hostname}:${port}`
    expect(await open({ url, reach: place.reach, tls })).toBe('connected')
  })

  it('is refused where the password is wrong, without telling it', async () => {
    const sasl = { mechanism: 'PLAIN', username, password: 's3cret' } as const
    expect(await open({ ...place, tls, sasl })).toBe('UNAUTHENTICATED')
  })

  it('is not made to a server whose certificate nobody vouches for', async () => {
    const options = { ...place, tls: {}, sasl: { mechanism: 'PLAIN', username, password } } as const
    const said = await open(options, ({ code, message, remedy }) => `${code} ${message} ${remedy}`)
    expect(said).toMatch(/^UNAVAILABLE .* failed: .*certificate.* Set tls\.ca/)
  })
})
