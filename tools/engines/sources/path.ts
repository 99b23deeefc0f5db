import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

/** Where Debian puts servers; not on the PATH of everybody. */
const systemFolders = ['/usr/sbin', '/usr/local/sbin']

/** The path of an executable, by the PATH of this process. */
export function findExecutable(name: string, path = process.env.PATH ?? ''): string | undefined {
  const folders = [...path.split(delimiter).filter((dir) => dir !== ''), ...systemFolders]
  return folders.map((dir) => join(dir, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
