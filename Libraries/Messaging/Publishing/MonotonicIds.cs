using System.Buffers.Binary;
using System.Security.Cryptography;

namespace LlmMarketplace.Messaging.Publishing;

/// <summary>
/// UUIDs v7 that grow with every call (RFC 9562, 6.2, method 1: a counter follows the milliseconds). EF Core inserts rows in the order of their keys, so
/// events that one <c>SaveChanges</c> stores keep the order in which they were added.
/// </summary>
internal sealed class MonotonicIds(TimeProvider time)
{
    private readonly Lock turn = new();
    private long last; // milliseconds << 12 | counter

    public Guid Next()
    {
        long value;
        lock (turn)
        {
            value = last = Math.Max(last + 1, time.GetUtcNow().ToUnixTimeMilliseconds() << 12);
        }

        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes[8..]);
        BinaryPrimitives.WriteInt64BigEndian(bytes, ((value >> 12) << 16) | 0x7000 | (value & 0xFFF));
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
