import { describe, expect, it } from 'vitest'
import { probeKafka } from './kafka.ts'
import { probeNats } from './nats.ts'
import { probeRabbitmq } from './rabbitmq.ts'
import { probeRedis } from './redis.ts'
import { scripted } from './scripted.ts'

function as(user: string, url: URL): URL {
  return new URL(url.href.replace('//', `//${user}@`))
}

describe('a Redis server', () => {
  const info = '$50\r\n# Server\r\nredis_version:7.0.15\r\n'

  it('is ready when it answers, in whatever pieces', async () => {
    await using server = await scripted(undefined, [`+PONG\r\n${info}`])
    expect(await probeRedis(server.url)).toBe('7.0.15')
  })

  it('is asked as the user that its address names', async () => {
    await using server = await scripted(undefined, ['+OK\r\n', `+PONG\r\n${info}`])
    expect(await probeRedis(as('me:s%20ecret', server.url))).toBe('7.0.15')
    expect(server.received()).toContain('$4\r\nAUTH\r\n$2\r\nme\r\n$7\r\ns ecret\r\n')
  })

  it('is not ready while it loads its data, or does not know the user', async () => {
    await using loading = await scripted(undefined, ['-LOADING Redis is loading the dataset in memory\r\n'])
    await expect(probeRedis(loading.url)).rejects.toThrow(/LOADING/)
    await using refusing = await scripted(undefined, ['-WRONGPASS invalid\r\n'])
    await expect(probeRedis(as('me:wrong', refusing.url))).rejects.toThrow(/WRONGPASS/)
  })

  it('is not ready when it hangs up', async () => {
    await using server = await scripted(undefined, ['+PO'])
    await expect(probeRedis(server.url)).rejects.toThrow(/closed the connection/)
  })
})

describe('a NATS server', () => {
  const greeting = 'INFO {"version":"2.12.2","jetstream":true}\r\n'

  it('is ready when JetStream answers', async () => {
    await using server = await scripted(greeting, ['PING\r\nMSG probe 1 13\r\n{"streams":0}\r\n'])
    expect(await probeNats(server.url)).toBe('2.12.2')
  })

  it('is asked as the user that its address names', async () => {
    await using server = await scripted(greeting, ['MSG probe 1 13\r\n{"streams":0}\r\n'])
    await probeNats(as('me:secret', server.url))
    expect(server.received()).toMatch(/"user":"me","pass":"secret"/)
  })

  it('is not ready without JetStream, or when it refuses the user', async () => {
    await using without = await scripted(greeting, ['MSG probe 1 60\r\n{"error":{"code":503,"err_code":10076}}\r\n'])
    await expect(probeNats(without.url)).rejects.toThrow(/JetStream answered .*10076/)
    await using refusing = await scripted(greeting, ["-ERR 'Authorization Violation'\r\n"])
    await expect(probeNats(refusing.url)).rejects.toThrow(/Authorization Violation/)
  })
})

describe('a RabbitMQ server', () => {
  const frame = (payload: string): string => {
    const header = Buffer.from([1, 0, 0, 0, 0, 0, payload.length])
    return `${header.toString('latin1')}${payload}\xce`
  }
  const start = frame('\0\x0a\0\x0a\0\x09\0\0\0\x16\x07versionS\0\0\0\x063.10.8\0\0\0\x05PLAIN\0\0\0\x05en_US')
  const tune = frame('\0\x0a\0\x1e\x07\xff\0\x02\0\0\0\x3c')
  const openOk = frame('\0\x0a\0\x29\0')

  it('is ready when it has opened the virtual host', async () => {
    await using server = await scripted(undefined, [start, tune, openOk])
    expect(await probeRabbitmq(server.url)).toBe('3.10.8')
    expect(server.received().startsWith('AMQP\0\0\x09\x01')).toBe(true)
    expect(server.received()).toContain('\0guest\0guest')
  })

  it('is asked as the user and for the virtual host that its address names', async () => {
    await using server = await scripted(undefined, [start, tune, openOk])
    await probeRabbitmq(new URL(`${as('me:secret', server.url).href}/orders`))
    expect(server.received()).toContain('\0me\0secret')
    expect(server.received()).toContain('\x06orders\0\0')
  })

  it('is not ready when it refuses', async () => {
    const close = frame('\0\x0a\0\x32\x01\x93\x0eACCESS_REFUSED\0\0\0\0')
    await using server = await scripted(undefined, [start, close])
    await expect(probeRabbitmq(server.url)).rejects.toThrow(/ACCESS_REFUSED/)
  })
})

describe('a Kafka broker', () => {
  const answer = (...words: readonly number[]): string => {
    const body = Buffer.from(words)
    return `\0\0\0${String.fromCharCode(body.length)}${body.toString('latin1')}`
  }
  const versions = answer(0, 0, 0, 18, 0, 0, 0, 0, 0, 0)

  const member = answer(0, 0, 0, 3, 0, 0, 0, 1)

  it('is ready when it is part of its cluster and knows its groups', async () => {
    await using server = await scripted(undefined, [
      versions,
      member,
      answer(0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    ])
    await expect(probeKafka(server.url)).resolves.toBeUndefined()
  })

  it('is not ready before', async () => {
    await using server = await scripted(undefined, [versions, answer(0, 0, 0, 3, 0, 0, 0, 0)])
    await expect(probeKafka(server.url)).rejects.toThrow(/no broker is in the cluster yet/)
  })

  it('is not ready while it reads what it knew of its groups', async () => {
    await using server = await scripted(undefined, [versions, member, answer(0, 0, 0, 16, 0, 0, 0, 0, 0, 14)])
    await expect(probeKafka(server.url)).rejects.toThrow(/groups are not loaded yet: error 14/)
  })

  it('is not ready when it does not know the requests', async () => {
    await using server = await scripted(undefined, [answer(0, 0, 0, 18, 0, 35, 0, 0, 0, 0)])
    await expect(probeKafka(server.url)).rejects.toThrow(/error 35/)
  })
})
