import { describe, expect, it } from 'vitest'
import { broker } from './engine.ts'
import { checkOptions } from './options.ts'

const issues = (options: unknown): readonly string[] => {
  try {
    checkOptions(options as string)
  } catch (error) {
    return (error as { issues: readonly { path: string }[] }).issues.map(({ path }) => path)
  }
  return []
}

describe('the options of the broker engine', () => {
  it('are an address, and have defaults', () => {
    const url = 'link://127.0.0.1:7420'
    expect(checkOptions(url)).toEqual({ url, token: undefined, tls: undefined, timeoutMs: 30_000, sessionMs: 10_000 })
    expect(checkOptions({ url: 'link+unix:///run/posthaste.sock' })).toMatchObject({ sessionMs: 10_000 })
    expect(broker(url).name).toBe('broker')
  })

  it('are refused all at once', () => {
    const wrong = { url: 'redis://x', token: 7, timeoutMs: 1, sessionMs: 1.5, tls: { certificate: '' }, retries: 3 }
    expect(issues(wrong)).toEqual(['url', 'token', 'timeoutMs', 'sessionMs', 'tls.certificate', 'retries'])
    expect(() => broker('http://x')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(issues(undefined)).toEqual([''])
  })

  it('have no secrets in the address, and TLS where it is', () => {
    expect(issues('link://user:secret@host')).toEqual(['url'])
    expect(() => checkOptions('link://user:secret@host')).not.toThrow(/secret/)
    expect(issues({ url: 'link://host', tls: {} })).toEqual(['tls'])
    expect(issues({ url: 'links://host', tls: { ca: 'pem' } })).toEqual([])
  })
})
