import { describe, expect, it } from 'vitest'
import { publishedManifest } from './manifest.ts'

describe('publishedManifest', () => {
  it('drops the source condition of each entry and keeps all else in order', () => {
    const manifest = {
      name: 'x',
      exports: {
        '.': { source: './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
        './package.json': './package.json',
      },
      files: ['dist'],
    }
    expect(JSON.stringify(publishedManifest(manifest))).toBe(
      JSON.stringify({
        name: 'x',
        exports: {
          '.': { types: './dist/index.d.ts', default: './dist/index.js' },
          './package.json': './package.json',
        },
        files: ['dist'],
      }),
    )
  })
})
