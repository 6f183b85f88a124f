using System.Buffers.Binary;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

/// <summary>Files of audio, as small as they can be.</summary>
internal static class Sound
{
    private const int SamplesPerSecond = 8_000;

    /// <summary>Noise as WAV: 8 000 samples a second of 16 bits, one channel.</summary>
    public static byte[] Wav(int seconds)
    {
        var samples = new byte[seconds * SamplesPerSecond * 2];
        new Random(7).NextBytes(samples);
        var header = new byte[44];
        "RIFF"u8.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), 36 + samples.Length);
        "WAVEfmt "u8.CopyTo(header.AsSpan(8));
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(16), 16);
        BinaryPrimitives.WriteInt16LittleEndian(header.AsSpan(20), 1);
        BinaryPrimitives.WriteInt16LittleEndian(header.AsSpan(22), 1);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(24), SamplesPerSecond);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(28), SamplesPerSecond * 2);
        BinaryPrimitives.WriteInt16LittleEndian(header.AsSpan(32), 2);
        BinaryPrimitives.WriteInt16LittleEndian(header.AsSpan(34), 16);
        "data"u8.CopyTo(header.AsSpan(36));
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(40), samples.Length);
        return [.. header, .. samples];
    }

    /// <summary>Silence as MP3: frames of MPEG 1, layer 3, 128 kbit/s, 44 100 samples a second; 1 152 samples in 417 bytes each.</summary>
    public static byte[] Mp3(int frames)
    {
        var file = new byte[frames * 417];
        for (var at = 0; at < file.Length; at += 417)
        {
            ((ReadOnlySpan<byte>)[0xFF, 0xFB, 0x90, 0xC4]).CopyTo(file.AsSpan(at));
        }

        return file;
    }
}
