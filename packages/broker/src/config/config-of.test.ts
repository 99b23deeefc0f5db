import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hashToken } from '../access/tokens.ts'
import { configOf } from './config-of.ts'

const hash = hashToken('secret')

function of(file: object | string | undefined, environment: Readonly<Record<string, string>> = {}) {
  return configOf(file === undefined || typeof file === 'string' ? file : JSON.stringify(file), environment)
}

function mistakes(file: object | string, environment: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    of(file, environment)
  } catch (error) {
    return (error as { issues: readonly { path: string }[] }).issues.map(({ path }) => path)
  }
  return []
}

describe('the configuration of a broker', () => {
  it('needs a directory and nothing else, and is for this machine then', () => {
    expect(of({ dataDir: '/data' })).toMatchObject({
      ...{ dataDir: '/data', snapshotsDir: '/data.snapshots', listen: ['link://127.0.0.1:7420'], users: {} },
      ...{ health: { host: '127.0.0.1', port: 7421 }, drainMs: 10_000, tls: undefined, insecure: false },
    })
    expect(mistakes({})).toEqual(['dataDir'])
  })

  it('lets clients and subscriptions grow with the connections, unless it says how many', () => {
    const limitsOf = (limits: object) => of({ dataDir: '/data', limits }).limits
    expect(limitsOf({})).toMatchObject({ sessionsMax: 20_000, subscriptionsMax: 100_000, groupsMax: 50_000 })
    expect(limitsOf({ connectionsMax: 50_000 })).toMatchObject({ sessionsMax: 100_000, subscriptionsMax: 500_000 })
    expect(limitsOf({ connectionsMax: 5, sessionsMax: 7 })).toMatchObject({ sessionsMax: 7, subscriptionsMax: 50 })
  })

  it('may be of the environment, which has the last word', () => {
    const environment = {
      POSTHASTE_BROKER_DATA_DIR: '/other',
      POSTHASTE_BROKER_LISTEN: 'link://127.0.0.1:1, link+unix:///run/x',
      POSTHASTE_BROKER_HEALTH_PORT: '0',
      POSTHASTE_BROKER_LIMITS_BODY_BYTES_MAX: '2048',
      POSTHASTE_BROKER_LIMITS_BYTES_IN_HAND_MAX: '65536',
      POSTHASTE_BROKER_LIMITS_GROUPS_MAX: '11',
      POSTHASTE_BROKER_LIMITS_TEMPORARY_GROUPS_MAX: '12',
      POSTHASTE_BROKER_LIMITS_SESSIONS_MAX: '13',
      POSTHASTE_BROKER_LIMITS_SUBSCRIPTIONS_MAX: '14',
      // Not the broker's own.
      ...{ PATH: '/bin', POSTHASTE_BROKER_URL: 'link://x', POSTHASTE_BROKER_TOKEN: 'secret' },
    }
    const config = of(
      { dataDir: '/data', limits: { bodyBytesMax: 4096, channelsMax: 5 }, health: { port: 9 } },
      environment,
    )
    expect(config).toMatchObject({
      ...{ dataDir: '/other', listen: ['link://127.0.0.1:1', 'link+unix:///run/x'] },
      health: { host: '127.0.0.1', port: 0 },
      limits: {
        ...{ bodyBytesMax: 2048, bytesInHandMax: 65_536, channelsMax: 5 },
        ...{ groupsMax: 11, temporaryGroupsMax: 12, sessionsMax: 13, subscriptionsMax: 14 },
      },
    })
    expect(of(undefined, environment).dataDir).toBe('/other')
  })

  it('has absolute paths: those of a file begin where it stands, those of the environment in the working directory', () => {
    const file = {
      ...{ dataDir: 'data/', snapshotsDir: '../copies' },
      tls: { certFile: 'tls/server.pem', keyFile: '/etc/server.key', caFile: 'ca.pem' },
    }
    const environment = { POSTHASTE_BROKER_SNAPSHOTS_DIR: 'copies', POSTHASTE_BROKER_TLS_CA_FILE: './ca.pem' }
    expect(configOf(JSON.stringify(file), {}, '/etc/posthaste/broker.json')).toMatchObject({
      ...{ dataDir: '/etc/posthaste/data', snapshotsDir: '/etc/copies' },
      tls: { certFile: '/etc/posthaste/tls/server.pem', keyFile: '/etc/server.key', caFile: '/etc/posthaste/ca.pem' },
    })
    expect(configOf(JSON.stringify(file), environment, 'etc/broker.json')).toMatchObject({
      ...{ dataDir: resolve('etc/data'), snapshotsDir: resolve('copies') },
      tls: { certFile: resolve('etc/tls/server.pem'), caFile: resolve('ca.pem') },
    })
    expect(configOf('{ "dataDir": "data/" }', {})).toMatchObject({
      ...{ dataDir: resolve('data'), snapshotsDir: resolve('data.snapshots') },
    })
  })

  it('has users, with rights and limits of their own', () => {
    const orders = {
      tokens: hash,
      rights: { publish: 'shop.**', consume: ['shop.*'] },
      limits: { connectionsMax: 3, groupsMax: 4 },
    }
    expect(of({ dataDir: '/data', users: { orders } }).users).toMatchObject({
      orders: {
        ...{ tokens: [hash], certificates: [] },
        rights: { publish: ['shop.**'], consume: ['shop.*'], manage: [] },
        limits: { connectionsMax: 3, groupsMax: 4, recordsPerSecondMax: undefined },
      },
    })
  })

  it('is refused with all of its mistakes at once', () => {
    const wrong = {
      ...{ dataDir: 7, listen: ['http://x'], insecure: 'yes', drainMs: -1, colour: 'red' },
      users: { a: { rights: { publish: 'a b', read: '**' } }, b: { tokens: ['secret'] }, c: 1 },
      ...{
        limits: { bodyBytesMax: 1, bytesInHandMax: 0, groupsMax: 0, sessionsMax: 1.5 },
        health: { host: '0.0.0.0' },
        tls: { certFile: '/c', clients: 'some' },
      },
    }
    expect(mistakes(wrong, { POSTHASTE_BROKER_TLS_SECRET: 'x' }).toSorted()).toEqual([
      ...['POSTHASTE_BROKER_TLS_SECRET', 'colour', 'dataDir', 'drainMs', 'health.host', 'insecure'],
      ...[
        'limits.bodyBytesMax',
        'limits.bytesInHandMax',
        'limits.groupsMax',
        'limits.sessionsMax',
        'listen',
        'tls.clients',
        'tls.keyFile',
        'users.a.rights.publish',
      ],
      ...['users.a.rights.read', 'users.a.tokens', 'users.b.tokens', 'users.c'],
    ])
  })

  it('never repeats what may be a secret', () => {
    expect(() => of({ dataDir: '/d', users: { a: { tokens: ['hunter2'] } } })).not.toThrow(/hunter2/)
  })

  it('is refused where it is no JSON object', () => {
    for (const text of ['{', '[]', '7', 'null']) expect(() => of(text)).toThrow(/broker configuration/)
  })
})

describe('a broker that others can reach', () => {
  const user = { tokens: hash }
  const tls = { certFile: '/c', keyFile: '/k' }
  const data = { dataDir: '/data', listen: 'link://0.0.0.0:7420' }

  it('has users and TLS, or is said to be insecure', () => {
    expect(mistakes(data)).toEqual(['users', 'listen'])
    expect(mistakes({ ...data, users: { user } })).toEqual(['listen'])
    expect(mistakes({ ...data, listen: 'links://0.0.0.0:7420', tls })).toEqual(['users'])
    expect(mistakes({ ...data, listen: 'links://0.0.0.0:7420', tls, users: { user } })).toEqual([])
    expect(mistakes({ ...data, insecure: true })).toEqual([])
  })

  it('may know its clients by their certificates alone', () => {
    const mutual = { ...tls, caFile: '/ca', clients: 'required' }
    expect(mistakes({ ...data, listen: 'links://0.0.0.0:7420', tls: mutual })).toEqual([])
    expect(mistakes({ ...data, listen: 'links://0.0.0.0:7420', tls: { ...tls, clients: 'required' } })).toContain(
      'tls.caFile',
    )
  })

  it('needs a certificate for TLS', () => {
    expect(mistakes({ ...data, listen: 'links://127.0.0.1:7420' })).toEqual(['tls'])
  })
})
