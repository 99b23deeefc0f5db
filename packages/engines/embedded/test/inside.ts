import { type Database, open } from 'lmdb'

/** A table as somebody with the `lmdb` package sees it. */
export type RawTable = Database<Buffer, Buffer>

/** Works on the tables of a closed directory, past the engine. */
export async function inside<T>(dir: string, work: (table: (name: string) => RawTable) => Promise<T>): Promise<T> {
  const root = open({ path: dir, noSubdir: false, maxDbs: 20, encoding: 'binary', keyEncoding: 'binary' })
  const result = await work((name) => root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' }))
  await root.close()
  return result
}
