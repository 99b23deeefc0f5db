import { describe, expect, it } from 'vitest'
import { http } from './http.ts'
import { settingsOf } from './options.ts'

const refused = (...paths: string[]) =>
  expect.objectContaining({ code: 'CONFIG_INVALID', issues: paths.map((path) => expect.objectContaining({ path })) })

describe('the options of the http transport', () => {
  it('are safe where they are left out', () => {
    expect(settingsOf({ port: undefined })).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      bodyBytesMax: 1_048_576,
      healthPath: '/health',
    })
  })

  it('are refused all at once', () => {
    const options = {
      port: 65_536,
      host: '',
      bodyBytesMax: 0.5,
      requestsMax: '5',
      healthPath: 'health',
      tls: {},
    } as never
    expect(() => http(options)).toThrow(refused('port', 'host', 'bodyBytesMax', 'requestsMax', 'healthPath', 'tls'))
  })

  it('cannot let headers take longer than the whole request', () => {
    expect(() => http({ requestTimeoutMs: 5_000 })).toThrow(refused('headersTimeoutMs'))
    expect(() => http({ requestTimeoutMs: 5_000, headersTimeoutMs: 5_000 })).not.toThrow()
  })
})
