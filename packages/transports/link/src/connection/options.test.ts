import type { Issue } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { dialSettings } from '../client/dial-options.ts'
import { listenSettings } from '../server/listen-options.ts'
import { addressOf, urlOf } from './address.ts'
import { limitDefaults } from './limits.ts'
import type { DialOptions, ListenOptions } from './options.ts'

function mistakes(check: () => unknown): readonly string[] {
  try {
    check()
  } catch (thrown) {
    const { code, issues } = thrown as { readonly code: string; readonly issues: readonly Issue[] }
    expect(code).toBe('CONFIG_INVALID')
    return issues.map(({ path }) => path)
  }
  return []
}

const listening = (options: object): readonly string[] => {
  return mistakes(() => listenSettings({ codecs: ['application/json'], ...options } as ListenOptions))
}
const dialling = (options: object): readonly string[] => {
  return mistakes(() => dialSettings({ url: 'link://localhost', ...options } as DialOptions))
}

describe('An address', () => {
  it('is TCP, TLS or a Unix socket, with a port by default', () => {
    expect(addressOf('link://broker')).toEqual({ kind: 'tcp', host: 'broker', port: 7420 })
    expect(addressOf('links://broker:1')).toEqual({ kind: 'tls', host: 'broker', port: 1 })
    expect(addressOf('link://[::1]:9')).toEqual({ kind: 'tcp', host: '::1', port: 9 })
    expect(addressOf('link+unix:///run/a%20b.sock')).toEqual({ kind: 'unix', path: '/run/a b.sock' })
  })

  it('is what its url says, and the url what the address says', () => {
    for (const url of ['link://broker:7420', 'links://[::1]:9', 'link+unix:///run/a%20b.sock']) {
      expect(urlOf(addressOf(url) as Exclude<ReturnType<typeof addressOf>, string>)).toBe(url)
    }
  })

  it.each([
    'broker',
    'http://broker',
    'link://',
    'link://user:pass@broker',
    'link://broker/path',
    'link://broker?x=1',
    'link://broker#x',
    'link://broker:99999',
    'link+unix://run/a.sock',
    'link+unix:///run/%zz',
    `link+unix:///${'x'.repeat(101)}`,
    7420,
  ])('is not %s', (url) => {
    expect(typeof addressOf(url)).toBe('string')
  })
})

describe('The options of a listener', () => {
  it('have defaults that hold every bound', () => {
    const settings = listenSettings({ codecs: ['application/json'] })
    expect(settings.address).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 7420 })
    expect(settings.limits).toEqual(limitDefaults)
    expect([settings.mode, settings.compressAboveBytes, settings.agent]).toEqual([0o600, undefined, 'posthaste'])
    expect(listening({ ...limitDefaults })).toEqual([])
  })

  it('are all looked at before anything is said', () => {
    const options = { host: '', port: 70_000, codecs: [], streamsMax: 0, keepaliveMs: 1.5, colour: 'red', agent: '' }
    expect(listening(options)).toEqual(['colour', 'keepaliveMs', 'streamsMax', 'host', 'port', 'codecs', 'agent'])
  })

  it('take every limit from its least to its most, and nothing beyond', () => {
    for (const name of Object.keys(limitDefaults)) {
      expect(listening({ [name]: -1 })).toEqual([name])
      expect(listening({ [name]: 2 ** 40 })).toEqual([name])
      expect(listening({ [name]: '5' })).toEqual([name])
    }
  })

  it('hold limits against each other', () => {
    expect(listening({ frameBytesMax: 16_384, metadataBytesMax: 16_385 })).toEqual(['frameBytesMax'])
    expect(listening({ streamWindow: 65_536, connectionWindow: 65_535 })).toEqual(['connectionWindow'])
    const message = { messageBytesMax: 1_048_576, unfinishedBytesMax: 1_048_575, unsentBytesMax: 1_048_575 }
    expect(listening(message)).toEqual(['unfinishedBytesMax', 'unsentBytesMax'])
  })

  it('name one place', () => {
    const tls = { key: 'k', cert: 'c' }
    expect(listening({ url: 'link://localhost', port: 1 })).toEqual(['url'])
    expect(listening({ url: 'tcp://localhost' })).toEqual(['url'])
    expect(listening({ path: '' })).toEqual(['path'])
    expect(listening({ url: 'links://localhost' })).toEqual(['tls'])
    expect(listening({ url: 'link://localhost', tls })).toEqual(['tls'])
    expect(listening({ mode: 0o600 })).toEqual(['mode'])
    expect(listening({ path: '/run/a.sock', mode: 0o1777 })).toEqual(['mode'])
    expect(listenSettings({ codecs: ['a'], tls, port: 5 }).address.kind).toBe('tls')
  })

  it('say what is wrong with tls, codecs, compression and authentication', () => {
    expect(listening({ tls: { key: '', ca: 5, passphrase: 'x', clientCertificate: 'maybe' } })).toEqual([
      'tls.passphrase',
      'tls.key',
      'tls.cert',
      'tls.ca',
      'tls.clientCertificate',
    ])
    expect(listening({ tls: { key: 'k', cert: 'c', clientCertificate: 'required' } })).toEqual(['tls.ca'])
    expect(listening({ tls: 'yes' })).toContain('tls')
    expect(listening({ codecs: ['a', 'a'] })).toEqual(['codecs'])
    expect(listening({ codecs: ['x'.repeat(256)] })).toEqual(['codecs'])
    expect(listening({ codecs: Array.from({ length: 40 }, (_, number) => `${number}${'x'.repeat(240)}`) })).toEqual([
      'codecs',
    ])
    expect(listening({ compression: 'gzip' })).toEqual(['compression'])
    expect(listening({ compression: { aboveBytes: -1, level: 9 } })).toEqual([
      'compression.level',
      'compression.aboveBytes',
    ])
    expect(listening({ authenticate: 'token' })).toEqual(['authenticate'])
    expect(listenSettings({ codecs: ['a'], compression: true }).compressAboveBytes).toBe(1_024)
    expect(listenSettings({ codecs: ['a'], compression: { aboveBytes: 0 } }).compressAboveBytes).toBe(0)
  })
})

describe('The options of a dialer', () => {
  it('have defaults', () => {
    expect(dialSettings({ url: 'link://localhost' })).toMatchObject({
      address: { kind: 'tcp', host: 'localhost', port: 7420 },
      compression: true,
      waitingMax: 10_000,
      handoverMs: 5_000,
      backoffMs: 50,
      backoffMsMax: 5_000,
    })
  })

  it('are all looked at before anything is said', () => {
    const options = { url: 'x', token: '', waitingMax: -1, backoffMs: 0, compression: 1, agent: 5, colour: 'red' }
    expect(dialling(options)).toEqual(['colour', 'url', 'waitingMax', 'backoffMs', 'token', 'compression', 'agent'])
    expect(dialling({ tls: {} })).toEqual(['tls'])
    expect(dialling({ url: 'links://a', tls: { key: 'k', serverName: '127.0.0.1' } })).toEqual([
      'tls',
      'tls.serverName',
    ])
    expect(dialling({ backoffMs: 10_000 })).toEqual(['backoffMsMax'])
    expect(dialling({ url: 'links://a', tls: { key: 'no PEM', cert: 'neither' } })).toEqual(['tls'])
  })
})
