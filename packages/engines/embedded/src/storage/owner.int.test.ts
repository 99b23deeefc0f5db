import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Directories } from '../../test/installation.ts'
import { record } from '../../test/records.ts'
import { declared, opened, published, TestMember } from '../../test/rig.ts'
import { Store } from './store.ts'

let directories = new Directories()
const children: ChildProcess[] = []
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  directories.remove()
})

/** Another process that opens the directory; resolves with what became of that. */
async function elsewhere(dir: string): Promise<{ child: ChildProcess; answer: unknown }> {
  const child = fork(fileURLToPath(new URL('../../test/opener.ts', import.meta.url)), [dir], {
    execArgv: ['--conditions=source'],
  })
  children.push(child)
  const [answer] = (await once(child, 'message')) as [unknown]
  return { child, answer }
}

async function meta(dir: string, name: string, value: string): Promise<void> {
  const store = new Store(dir)
  await store.commit((tx) => tx.put('meta', Buffer.from(name), Buffer.from(value)))
  await store.close()
}

describe('a data directory', () => {
  it('is refused to a second engine of the process, and the first works on', async () => {
    const dir = directories.fresh()
    const { engine } = await opened(dir)
    await declared(engine)
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(opened(dir)).rejects.toMatchObject({ code: 'ENGINE_LOCKED', details: { pid: process.pid } })
    }
    await published(engine, record('1'))
    expect((await (await TestMember.join(engine, 1)).take(1))[0]?.record.id).toBe('1')
    await engine.close()
    const again = await opened(dir)
    await again.engine.close()
  })

  it('is refused to another process with the pid of its owner, and free when that has closed it', async () => {
    const dir = directories.fresh()
    const { engine } = await opened(dir)
    expect((await elsewhere(dir)).answer).toEqual({ code: 'ENGINE_LOCKED', details: { pid: process.pid } })
    await engine.close()
    const { child, answer } = await elsewhere(dir)
    expect(answer).toBe('open')
    await expect(opened(dir)).rejects.toMatchObject({
      code: 'ENGINE_LOCKED',
      message: expect.stringContaining(`${child.pid}`),
    })
  })

  it('opens when its owner was killed, with all that was confirmed', async () => {
    const dir = directories.fresh()
    const { child, answer } = await elsewhere(dir)
    expect(answer).toBe('open')
    child.send('publish')
    const [outcomes] = (await once(child, 'message')) as [unknown]
    expect(outcomes).toEqual([{ ok: true }, { ok: true }])
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { engine } = await opened(dir)
    const member = await TestMember.join(engine, 10)
    expect((await member.take(2)).map((each) => [each.record.id, each.attempt])).toEqual([
      ['1', 1],
      ['2', 1],
    ])
    await engine.close()
  })

  it('of another format is refused and left as it is', async () => {
    const dir = directories.fresh()
    await (await opened(dir)).engine.close()
    await meta(dir, 'format', '999')
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(opened(dir)).rejects.toMatchObject({ code: 'ENGINE_FORMAT' })
    }
    await meta(dir, 'format', '1')
    await (await opened(dir)).engine.close()
  })

  it('that cannot be a directory is refused with the cause', async () => {
    await expect(opened('/dev/null/data')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('whose owner row names a process of before, by pid alone, is free', async () => {
    const dir = directories.fresh()
    const { engine } = await opened(dir)
    await engine.close()
    const store = new Store(dir)
    await store.close()
    await meta(dir, 'owner', JSON.stringify({ pid: process.pid, startedAt: '1' }))
    await (await opened(dir)).engine.close()
  })
})
