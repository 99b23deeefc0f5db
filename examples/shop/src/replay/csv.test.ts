import { describe, expect, it } from 'vitest'
import { CsvError, columns, type RawLine, readRecords } from './csv.ts'

const header = columns.join(';')
const good = '536365;85123A; WHITE LANTERN ;6;1/12/2010 08:26;2,55;17850;United Kingdom'

async function read(...lines: string[]): Promise<RawLine[]> {
  const found: RawLine[] = []
  for await (const line of readRecords(lines)) found.push(line)
  return found
}

async function description(field: string): Promise<string | undefined> {
  const [line] = await read(header, good.replace(' WHITE LANTERN ', field))
  return line !== undefined && 'record' in line ? line.record.Description : undefined
}

describe('readRecords', () => {
  it('names the fields and takes stray blanks away', async () => {
    expect(await read(header, good)).toEqual([
      {
        line: 2,
        record: {
          InvoiceNo: '536365',
          StockCode: '85123A',
          Description: 'WHITE LANTERN',
          Quantity: '6',
          InvoiceDate: '1/12/2010 08:26',
          UnitPrice: '2,55',
          CustomerID: '17850',
          Country: 'United Kingdom',
        },
      },
    ])
  })

  it('passes over a byte-order mark and empty lines, and counts them', async () => {
    const lines = await read(`\uFEFF${header}`, '', '   ', good, '')
    expect(lines.map(({ line }) => line)).toEqual([4])
  })

  it('goes by the names in the header, not by their order', async () => {
    const [line] = await read([...columns].reverse().join(';'), good.split(';').reverse().join(';'))
    expect(line).toMatchObject({ record: { InvoiceNo: '536365', Country: 'United Kingdom' } })
  })

  it('takes quotes off, and keeps what they protect', async () => {
    expect(await description('"RECORD FRAME 7"" SINGLE "')).toBe('RECORD FRAME 7" SINGLE')
    expect(await description('"CUP; DOUBLE WALL"')).toBe('CUP; DOUBLE WALL')
  })

  it.each([
    ['"NEVER CLOSED', 'has a quote that does not fit'],
    ['IN THE "MIDDLE"', 'has a quote that does not fit'],
    ['ONE;TOO MANY', 'has 9 columns instead of 8'],
    ['NOT \uFFFD DECODED', 'is not UTF-8'],
  ])('reports a line with %s, and goes on behind it', async (field, reason) => {
    const lines = await read(header, good.replace(' WHITE LANTERN ', field), good)
    expect(lines).toMatchObject([
      { line: 2, reason },
      { line: 3, record: {} },
    ])
  })

  it('reports a line with too few columns', async () => {
    expect(await read(header, '536365;85123A')).toEqual([{ line: 2, reason: 'has 2 columns instead of 8' }])
  })

  it('refuses a file without the columns, and names them', async () => {
    await expect(read('InvoiceNo,StockCode')).rejects.toThrow(CsvError)
    await expect(read(header.replace('UnitPrice', 'Price'))).rejects.toThrow('lacks the columns UnitPrice')
  })

  it('refuses an empty file', async () => {
    await expect(read()).rejects.toThrow('the file is empty')
  })
})
