import { describe, expect, it } from 'vitest'
import { Room } from './room.ts'

const mib = 1024 * 1024

/** A file system of so many bytes, of which so many are free. */
const roomOf = (all: number, free: number) =>
  new Room('data', () => ({ bsize: 4_096, blocks: all / 4_096, bavail: Math.floor(free / 4_096) }))

describe('room on the disk', () => {
  it('is enough for what fits beside what is kept free', () => {
    expect(() => roomOf(1_024 * mib, 12 * mib).require(0)).not.toThrow()
    expect(() => roomOf(1_024 * mib, 12 * mib).require(mib)).toThrow(/disk is full: 12\.6 MB are free where data is/)
  })

  it('is kept free up to a bound, however large the disk is', () => {
    expect(() => roomOf(1_024 * 1_024 * mib, 65 * mib).require(0)).not.toThrow()
    expect(() => roomOf(1_024 * 1_024 * mib, 64 * mib).require(0)).toThrow(/full/)
  })

  it('must be there twice for what is written', () => {
    expect(() => roomOf(100 * mib, 21.2 * mib).require(10 * mib)).toThrow(/full/)
    expect(() => roomOf(100 * mib, 21.5 * mib).require(10 * mib)).not.toThrow()
  })

  it('is taken for granted where nobody can say', () => {
    const unknown = new Room('data', () => {
      throw new Error('not implemented')
    })
    expect(() => unknown.require(mib)).not.toThrow()
  })
})
