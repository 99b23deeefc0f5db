import { describe, expect, it } from 'vitest'
import { columns } from './csv.ts'
import { type BadLine, type Invoice, readInvoices } from './invoices.ts'

function row(change: Partial<Record<(typeof columns)[number], string>>): string {
  const defaults: Record<string, string> = {
    InvoiceNo: '1',
    StockCode: 'A',
    Quantity: '1',
    InvoiceDate: '1/12/2010 08:26',
    UnitPrice: '1',
    CustomerID: '7',
  }
  return columns.map((column) => change[column] ?? defaults[column] ?? '').join(';')
}

async function read(...rows: string[]) {
  const invoices: Invoice[] = []
  const bad: BadLine[] = []
  let lines = 0
  for await (const part of readInvoices([columns.join(';'), ...rows])) {
    if ('invoice' in part) invoices.push(part.invoice)
    else if ('bad' in part) bad.push(part.bad)
    else lines += 1
  }
  return { invoices, bad, lines }
}

describe('readInvoices', () => {
  it('puts lines of one number together, orders and returns', async () => {
    const { invoices, bad, lines } = await read(
      row({ StockCode: 'A' }),
      row({ StockCode: 'B', Quantity: '2' }),
      row({ InvoiceNo: 'C2', Quantity: '-3', CustomerID: '' }),
    )
    expect(invoices).toMatchObject([
      { invoiceNo: '1', kind: 'order', userId: 7, firstLine: 2, lines: [{ productId: 'A' }, { productId: 'B' }] },
      { invoiceNo: 'C2', kind: 'return', userId: undefined, firstLine: 4, lines: [{ quantity: 3 }] },
    ])
    expect(bad).toEqual([])
    expect(lines).toBe(3)
  })

  it('leaves bad lines out, with their numbers, and goes on with the invoice', async () => {
    const { invoices, bad, lines } = await read(row({}), row({ UnitPrice: '0' }), 'x', row({ StockCode: 'B' }))
    expect(invoices).toMatchObject([{ lines: [{ productId: 'A' }, { productId: 'B' }] }])
    expect(bad).toEqual([
      { line: 3, reason: 'price is zero' },
      { line: 4, reason: 'has 1 columns instead of 8' },
    ])
    expect(lines).toBe(4)
  })

  it('makes no invoice of bad lines alone', async () => {
    expect((await read(row({ Quantity: '-1' }))).invoices).toEqual([])
  })

  it('refuses a line for another customer than its invoice', async () => {
    const { invoices, bad } = await read(row({}), row({ CustomerID: '8' }), row({ CustomerID: '' }))
    expect(invoices).toMatchObject([{ userId: 7, lines: [{}] }])
    expect(bad.map(({ reason }) => reason)).toEqual([
      'customer 8, but the invoice is for 7',
      'customer missing, but the invoice is for 7',
    ])
  })

  it('refuses a line that comes after its invoice, which may be posted already', async () => {
    const { invoices, bad } = await read(row({}), row({ InvoiceNo: '2' }), row({}))
    expect(invoices.map(({ invoiceNo }) => invoiceNo)).toEqual(['1', '2'])
    expect(bad).toEqual([{ line: 4, reason: 'invoice 1 ended before another one began' }])
  })
})
