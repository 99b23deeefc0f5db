import { describe, expect, it } from 'vitest'
import { type Place, serverNames } from '../recipe.ts'
import { recipes } from './all.ts'
import { brokerConfig } from './broker.ts'
import { kafkaConfig } from './kafka.ts'
import { isAtLeast, natsConfig, natsTlsConfig, versionIn } from './nats.ts'
import { definitions, passwordHash, rabbitmqConfig } from './rabbitmq.ts'
import { redisConfig } from './redis.ts'

const plain: Place = {
  name: 'one',
  dir: '/data/one',
  ports: { main: 1, tls: 2, controller: 3, distribution: 4, epmd: 5 },
  credentials: { username: 'user', password: 'secret' },
}
const place: Place = {
  ...plain,
  tls: {
    caFile: '/tls/ca.pem',
    serverCertFile: '/tls/server.pem',
    serverKeyFile: '/tls/server.key',
    serverPemFile: '/tls/server.keystore.pem',
    certFile: '/tls/client.pem',
    keyFile: '/tls/client.key',
  },
}

/** Standard ports of the four, and of what belongs to them. */
const standardPorts = [5671, 5672, 15672, 25672, 4369, 9092, 9093, 9094, 4222, 6222, 8222, 6379, 7420, 7421]

describe('the servers', () => {
  it('have names of their own, and no port in common with another or with the standard', () => {
    expect(serverNames.map((name) => recipes[name].name)).toEqual(serverNames)
    const ports = serverNames.flatMap((name) => Object.values(recipes[name].ports))
    expect(new Set([...ports, ...standardPorts]).size).toBe(ports.length + standardPorts.length)
  })

  it.each([
    ['redis', redisConfig],
    ['nats', natsConfig],
    ['rabbitmq', rabbitmqConfig],
    ['kafka', kafkaConfig],
  ])('open no port for TLS without certificates: %s', (_, config) => {
    expect(config(plain)).not.toMatch(/ssl_options|tls|SASL_SSL:\/\/|keystore/)
  })
})

describe('Redis', () => {
  it('writes before it confirms, evicts nothing and listens on loopback', () => {
    const lines = redisConfig(place).split('\n')
    for (const line of ['appendonly yes', 'appendfsync always', 'maxmemory-policy noeviction', 'bind 127.0.0.1'])
      expect(lines).toContain(line)
    expect(lines).toContain('user user on >secret ~* &* +@all')
    expect(lines).toContain('tls-port 2')
  })
})

describe('the broker', () => {
  it('is for this machine, and keeps its data apart from its configuration', () => {
    const { listen, dataDir, health } = JSON.parse(brokerConfig({ ...place, ports: { main: 1, health: 2 } }))
    expect({ listen, dataDir, health }).toEqual({
      ...{ listen: 'link://127.0.0.1:1', dataDir: '/data/one/data', health: { port: 2 } },
    })
  })
})

describe('NATS', () => {
  it('keeps the data of its two servers apart, and lets only the user in with TLS', () => {
    expect(natsConfig(place)).toMatch(/port: 1\njetstream \{ store_dir: "\/data\/one\/plain" \}/)
    expect(natsTlsConfig(place)).toMatch(/port: 2\njetstream \{ store_dir: "\/data\/one\/secure" \}/)
    expect(natsTlsConfig(place)).toMatch(/authorization \{ user: "user", password: "secret" \}/)
  })

  it('is told apart by its version', () => {
    expect(versionIn('nats-server: v2.12.2\n')).toBe('2.12.2')
    expect(versionIn('unknown')).toBe('0.0.0')
    expect(isAtLeast('2.12.2', '2.12')).toBe(true)
    expect(isAtLeast('2.9.10', '2.12')).toBe(false)
    expect(isAtLeast('3.0.0', '2.12')).toBe(true)
    expect(isAtLeast('1.13.0', '2.12')).toBe(false)
  })
})

describe('RabbitMQ', () => {
  it('listens with TLS on loopback, and takes clients with and without certificates', () => {
    const lines = rabbitmqConfig(place).split('\n')
    expect(lines).toContain('listeners.ssl.default = 127.0.0.1:2')
    expect(lines).toContain('ssl_options.fail_if_no_peer_cert = false')
  })

  it('knows the guest and the user, each with all permissions', () => {
    const { users, permissions } = JSON.parse(definitions(place))
    expect(users.map(({ name }: { name: string }) => name)).toEqual(['guest', 'user'])
    expect(permissions).toHaveLength(2)
    expect(definitions(place)).not.toContain('secret')
  })

  it('gets passwords as its documentation says', () => {
    // The example of https://www.rabbitmq.com/docs/passwords#this-is-the-algorithm: salt 908D C60A, password test12.
    expect(passwordHash('test12', Buffer.from('908DC60A', 'hex'))).toBe(
      'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR',
    )
  })
})

describe('Kafka', () => {
  it('tells clients the addresses it listens at', () => {
    const lines = kafkaConfig(place).split('\n')
    expect(lines).toContain('listeners=PLAINTEXT://127.0.0.1:1,SASL_SSL://127.0.0.1:2,CONTROLLER://127.0.0.1:3')
    expect(lines).toContain('advertised.listeners=PLAINTEXT://127.0.0.1:1,SASL_SSL://127.0.0.1:2')
  })

  it('makes no topic by accident, and lets members be missed soon', () => {
    const lines = kafkaConfig(place).split('\n')
    expect(lines).toContain('auto.create.topics.enable=false')
    expect(lines).toContain('group.min.session.timeout.ms=100')
  })

  it('lets the user in with a password', () => {
    expect(kafkaConfig(place)).toMatch(/PlainLoginModule required user_user="secret";/)
  })
})
