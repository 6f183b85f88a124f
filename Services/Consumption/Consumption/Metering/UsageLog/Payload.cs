using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>Writes a payload, little endian.</summary>
internal readonly ref struct PayloadWriter(IBufferWriter<byte> buffer)
{
    private const int DecimalSize = 16;

    public void Byte(byte value)
    {
        buffer.GetSpan(1)[0] = value;
        buffer.Advance(1);
    }

    public void Flag(bool value) => Byte(value ? (byte)1 : (byte)0);

    public void Int32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(buffer.GetSpan(sizeof(int)), value);
        buffer.Advance(sizeof(int));
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(buffer.GetSpan(sizeof(long)), value);
        buffer.Advance(sizeof(long));
    }

    public void Double(double value) => Int64(BitConverter.DoubleToInt64Bits(value));

    public void Time(DateTimeOffset value) => Int64(value.UtcTicks);

    public void Guid(Guid value)
    {
        value.TryWriteBytes(buffer.GetSpan(16));
        buffer.Advance(16);
    }

    public void Decimal(decimal value)
    {
        Span<int> bits = stackalloc int[4];
        decimal.GetBits(value, bits);
        var span = buffer.GetSpan(DecimalSize);
        for (var i = 0; i < bits.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(span[(i * sizeof(int))..], bits[i]);
        }

        buffer.Advance(DecimalSize);
    }

    public void Text(string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        Int32(length);
        buffer.Advance(Encoding.UTF8.GetBytes(value, buffer.GetSpan(length)));
    }

    public void OptionalText(string? value)
    {
        Flag(value is not null);
        if (value is not null)
        {
            Text(value);
        }
    }
}

/// <summary>Reads what <see cref="PayloadWriter"/> wrote.</summary>
internal ref struct PayloadReader
{
    private ReadOnlySpan<byte> rest;

    /// <exception cref="LogFormatException">It is of a version that is not known yet.</exception>
    public PayloadReader(ReadOnlySpan<byte> payload, byte newest)
    {
        rest = payload;
        Version = Byte();
        if (Version is 0 || Version > newest)
        {
            throw new LogFormatException($"An entry of the usage log has version {Version}, and this program knows {newest}: start the program that wrote it once more, so that it ships what is left.");
        }
    }

    /// <summary>Of what follows.</summary>
    public byte Version { get; }

    public byte Byte() => Take(1)[0];

    public bool Flag() => Byte() != 0;

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)));

    public double Double() => BitConverter.Int64BitsToDouble(Int64());

    public DateTimeOffset Time() => new(Int64(), TimeSpan.Zero);

    public Guid Guid() => new(Take(16));

    public decimal Decimal() => new([Int32(), Int32(), Int32(), Int32()]);

    public string Text() => Encoding.UTF8.GetString(Take(Int32()));

    public string? OptionalText() => Flag() ? Text() : null;

    private ReadOnlySpan<byte> Take(int length)
    {
        var taken = rest[..length];
        rest = rest[length..];
        return taken;
    }
}
