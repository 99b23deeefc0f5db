import { describe, expect, it } from 'vitest'
import { gone } from './presence.ts'

function linkThatSees(...ids: readonly number[]) {
  const asked: (readonly string[])[] = []
  const command = async (...args: readonly string[]) => {
    asked.push(args)
    return ids.map((id) => `id=${id} addr=127.0.0.1:5 laddr=127.0.0.1:6379 name=id=4`).join('\n')
  }
  return { asked, link: { id: '7', command } }
}

describe('gone', () => {
  it('names the sessions whose connection the server does not have', async () => {
    const { link, asked } = linkThatSees(7, 3)
    expect(await gone(['a', '3 500', 'b', '4 500'], link)).toEqual(['b', '4 500'])
    expect(asked).toEqual([['CLIENT', 'LIST', 'ID', '3', '4', '7']])
  })

  it('judges nobody where the server does not even see the one that asks', async () => {
    expect(await gone(['a', '3 500'], linkThatSees(3).link)).toEqual([])
    expect(await gone(['a', '3 500'], linkThatSees().link)).toEqual([])
  })

  it('asks nothing where connections have no ids', async () => {
    const { link, asked } = linkThatSees(7)
    expect(await gone(['a', '3 500'], { ...link, id: '' })).toEqual([])
    expect(asked).toEqual([])
  })
})
