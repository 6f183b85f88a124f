using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>What a frame holds. Numbers are on disk: never reused.</summary>
internal enum EntryKind : byte
{
    /// <summary>A call was admitted: <see cref="LogEntry.ReadIntent"/>.</summary>
    Intent = 1,

    /// <summary>A call ended: <see cref="LogEntry.ReadOutcome"/>.</summary>
    Outcome = 2,

    /// <summary>The log was closed in order: no payload.</summary>
    Closed = 3,
}

/// <summary>
/// One entry of the log, little endian, beginning at a multiple of 8:
/// <code>
///  0  u32  length of the payload
///  4  u32  CRC-32C of everything else in the frame, padding too
///  8  u64  sequence: one more than the frame before
/// 16  u32  number of the segment
/// 20  u8   kind, then 11 zeros
/// 32       payload, zeros up to the next multiple of 8
/// </code>
/// </summary>
internal static class Frame
{
    public const int HeaderSize = 32;
    public const int Alignment = 8;

    /// <summary>The largest payload, in bytes.</summary>
    public const int MaxPayload = 1024 * 1024;

    /// <summary>Bytes that a frame takes.</summary>
    public static int SizeOf(int payload) => (HeaderSize + payload + Alignment - 1) & ~(Alignment - 1);

    /// <summary>Writes a frame into <paramref name="target"/>, which has just its size.</summary>
    public static void Write(Span<byte> target, long sequence, uint segment, EntryKind kind, ReadOnlySpan<byte> payload)
    {
        target[..HeaderSize].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(target, (uint)payload.Length);
        BinaryPrimitives.WriteInt64LittleEndian(target[8..], sequence);
        BinaryPrimitives.WriteUInt32LittleEndian(target[16..], segment);
        target[20] = (byte)kind;
        payload.CopyTo(target[HeaderSize..]);
        target[(HeaderSize + payload.Length)..].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], Checksum(target));
    }

    /// <summary>Reads the frame at the start of <paramref name="bytes"/>. False: there is none, or it is damaged, or not all of it is there.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, uint segment, out FrameFacts frame)
    {
        frame = default;
        if (bytes.Length < HeaderSize || bytes[20] == 0 || BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]) != segment)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (length > MaxPayload || SizeOf((int)length) > bytes.Length)
        {
            return false;
        }

        var size = SizeOf((int)length);
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) != Checksum(bytes[..size]))
        {
            return false;
        }

        frame = new FrameFacts(BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]), (EntryKind)bytes[20], (int)length, size);
        return true;
    }

    // All but the four bytes that hold it.
    private static uint Checksum(ReadOnlySpan<byte> frame) => Crc32C(Crc32C(uint.MaxValue, frame[..4]), frame[8..]) ^ uint.MaxValue;

    /// <summary>CRC-32C (Castagnoli, RFC 3720), by the processor's own instruction where it has one.</summary>
    public static uint Crc32C(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var eight in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? eight : BinaryPrimitives.ReverseEndianness(eight));
        }

        foreach (var one in bytes[(bytes.Length & ~7)..])
        {
            crc = BitOperations.Crc32C(crc, one);
        }

        return crc;
    }
}

/// <summary>A whole, undamaged frame.</summary>
/// <param name="Sequence">Its place in the log.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Length">Bytes of payload, after <see cref="Frame.HeaderSize"/>.</param>
/// <param name="Size">Bytes in all.</param>
internal readonly record struct FrameFacts(long Sequence, EntryKind Kind, int Length, int Size);
