import { describe, expect, it } from 'vitest'
import { snippetsIn } from './fences.ts'

const fence = '```'

describe('snippetsIn', () => {
  it('takes ts blocks, their names and the output that is promised', () => {
    const text = [
      'Intro',
      `${fence}sh`,
      'npm test',
      fence,
      `${fence}ts file=contracts.ts`,
      'export const a = 1',
      fence,
      `${fence}ts run`,
      "import { a } from './contracts.ts'",
      '',
      'console.log(a)',
      fence,
      'prints',
      `${fence}text output`,
      '1',
      fence,
    ].join('\n')
    expect(snippetsIn(text)).toEqual([
      { line: 5, file: 'contracts.ts', code: 'export const a = 1\n', run: false },
      {
        line: 8,
        file: 'line-8.ts',
        code: "import { a } from './contracts.ts'\n\nconsole.log(a)\n",
        run: true,
        output: '1\n',
      },
    ])
  })

  it('reads a longer fence around a shorter one as one block', () => {
    const text = ['````md', `${fence}ts run`, 'x', fence, '````', `${fence}ts`, 'y', fence].join('\n')
    expect(snippetsIn(text).map(({ code }) => code)).toEqual(['y\n'])
  })

  it('refuses what it would otherwise overlook', () => {
    expect(() => snippetsIn(`${fence}ts\nx`)).toThrow('line 1: the fence is not closed')
    expect(() => snippetsIn(`${fence}text output\nx\n${fence}`)).toThrow('line 1: output of no snippet that runs')
    const twice = `${fence}ts file=a.ts\n${fence}\n`.repeat(2)
    expect(() => snippetsIn(twice)).toThrow('line 3: a second snippet named a.ts')
  })
})
