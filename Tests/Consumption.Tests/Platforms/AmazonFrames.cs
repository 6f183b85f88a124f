using System.Buffers.Binary;
using System.Text;

namespace LlmMarketplace.Consumption.Tests.Platforms;

/// <summary>Amazon's framing of events, written by its description, bit by bit, without the library that reads it.</summary>
internal static class AmazonFrames
{
    /// <summary>One message in Amazon's framing; all headers are texts.</summary>
    public static byte[] Frame(byte[] payload, params (string Name, string Value)[] headers)
    {
        using var block = new MemoryStream();
        foreach (var (name, value) in headers)
        {
            block.WriteByte((byte)name.Length);
            block.Write(Encoding.UTF8.GetBytes(name));
            block.WriteByte(7);
            block.WriteByte(0);
            block.WriteByte((byte)value.Length);
            block.Write(Encoding.UTF8.GetBytes(value));
        }

        var message = new byte[16 + block.Length + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(message, message.Length);
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(4), (int)block.Length);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(8), Crc32(message.AsSpan(0, 8)));
        block.ToArray().CopyTo(message, 12);
        payload.CopyTo(message, 12 + (int)block.Length);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(message.Length - 4), Crc32(message.AsSpan(0, message.Length - 4)));
        return message;
    }

    /// <summary>CRC-32 as in ISO 3309.</summary>
    private static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320u);
            }
        }

        return ~crc;
    }
}
