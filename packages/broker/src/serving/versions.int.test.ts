import {
  packParcel,
  protocolVersions,
  readParcel,
  type SessionBeginning,
  type SessionBegun,
  streams,
} from '@posthaste/broker/protocol'
import type { PosthasteError } from '@posthaste/contracts'
import { dial, type LinkStream, listen } from '@posthaste/link/connection'
import { systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Rig, TestHost, until } from '../../test/rig.ts'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig.close())

const [ours = 0] = protocolVersions
const host = () => ({ clock: systemClock, log: rig.host.log, random: () => 0.5 })
const beginning = { session: 'abcdefghijklmnop', resume: false, instance: 'raw', sessionMs: 5_000 }

/** Begins a session as a client of another release may. @returns what the broker makes of it */
function begun(url: string, versions: object): Promise<SessionBegun> {
  const dialer = dial({ url }, host())
  onTestFinished(() => dialer.close())
  const body = packParcel({ ...beginning, ...versions })
  return new Promise((resolve, reject) => {
    dialer.open(
      { method: streams.session, metadata: {}, codec: 'application/octet-stream', body },
      {
        message: (answer) => resolve(readParcel(answer).head as SessionBegun),
        ended: () => {},
        failed: reject,
        writable: () => {},
      },
    )
  })
}

/** A broker of another release, which answers as a test has it. */
async function other(answer: (asked: SessionBeginning, stream: LinkStream) => void, url = 'link://127.0.0.1:0') {
  const listener = await listen(
    { url, codecs: ['application/octet-stream'] },
    (_, stream) => ({
      message: (body) => answer(readParcel(body).head as SessionBeginning, stream),
      ended: () => stream.end(),
      failed: () => stream.end(),
      writable: () => {},
    }),
    host(),
  )
  onTestFinished(() => listener.drain(0))
  return listener.url
}

describe('a broker', () => {
  it('goes on in the version that it shares with a client, and says which', async () => {
    const { urls } = await rig.broker()
    const url = urls[0] ?? ''
    expect(await begun(url, { version: ours })).toMatchObject({ version: ours })
    expect(await begun(url, { version: ours + 1, versions: [ours + 1, ours] })).toMatchObject({ version: ours })
  })

  it('takes no client that speaks another, and says what to do', async () => {
    const { urls } = await rig.broker()
    const url = urls[0] ?? ''
    for (const versions of [{ version: ours + 1 }, { version: ours, versions: [ours + 1] }, { versions: 'all' }, {}])
      await expect(begun(url, versions)).rejects.toMatchObject({
        ...{ code: 'FAILED_PRECONDITION', remedy: expect.stringContaining('one release') },
      })
  })
})

describe('a client', () => {
  it('tells which versions it speaks, and does not go on with a broker of another', async () => {
    const asked: SessionBeginning[] = []
    const url = await other((each, stream) => {
      asked.push(each)
      stream.send(packParcel({ version: ours + 1, resumed: false, nowMs: 0, sessionMs: 1_000, capabilities: {} }))
    })
    const refused = await rig.engine(url).catch((error: PosthasteError) => error)
    expect(refused).toMatchObject({
      ...{ code: 'FAILED_PRECONDITION', verdict: 'permanent' },
      ...{ details: { client: protocolVersions, broker: [ours + 1] }, remedy: expect.stringContaining('one release') },
    })
    expect(asked).toMatchObject([{ version: ours, versions: protocolVersions }])
  })

  it('says once that the broker in place of its own does not take it back, and waits for one that does', async () => {
    const first = await rig.broker()
    const told = new TestHost()
    await rig.engine(first, {}, told)
    await first.stop()
    let tries = 0
    await other((_, stream) => {
      tries++
      stream.send(packParcel({ version: ours + 1, resumed: false, nowMs: 0, sessionMs: 1_000, capabilities: {} }))
    }, first.urls[0])
    await until(() => tries > 2)
    const said = told.logged.filter((line) => line.startsWith('the broker does not take this process back'))
    expect(said).toHaveLength(1)
    expect(said[0]).toContain('one release')
  })
})
