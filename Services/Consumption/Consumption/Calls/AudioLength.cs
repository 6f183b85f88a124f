using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>How long audio is, where nobody tells.</summary>
internal static class AudioLength
{
    // Speech codecs go down to about 4 kbit/s (Opus 6, AMR 4.75, MP3 8); nothing that people send takes more than lossless stereo at 192 kHz and 32 bits.
    private const int FewestBytesPerSecond = 500;
    private const int MostBytesPerSecond = 192_000 * 2 * 4;

    private const int Integers = 1;
    private const int Floats = 3;
    private const int Extensible = 0xFFFE;

    // Bit rates of lossy audio end at 320 kbit/s (MP3), and near 512 (AAC, Opus).
    private const int MostLossyBytesPerSecond = 64_000;

    /// <summary>No decoder makes more of this file.</summary>
    public static decimal UpperBound(ReadOnlySpan<byte> file) => file.Length / (WaveBytesPerSecond(file) is { } rate ? rate : (decimal)FewestBytesPerSecond);

    /// <summary>The file's length as its headers tell it; a lower bound of it when they tell none.</summary>
    public static decimal Seconds(ReadOnlyMemory<byte> file)
    {
        if (WaveBytesPerSecond(file.Span) is { } rate)
        {
            return file.Length / (decimal)rate;
        }

        var least = file.Length / (decimal)(file.Span.StartsWith("fLaC"u8) ? MostBytesPerSecond : MostLossyBytesPerSecond);
        var told = Math.Min(Told(file), UpperBound(file.Span));
        return Math.Round(Math.Max(told, least), 3);
    }

    /// <summary>What a WAV file of samples says of itself, which is what decoders go by; null for everything else.</summary>
    private static int? WaveBytesPerSecond(ReadOnlySpan<byte> file)
    {
        // RIFF, size, WAVE, then chunks; `fmt ` comes before the samples: tag, channels, samples a second, bytes a second, bytes a frame, bits a sample; the extensible tag
        // has the true one behind, after 8 more bytes. What decoders do not go by may be anything, and is not read.
        var at = file.IndexOf("fmt "u8);
        if (!file.StartsWith("RIFF"u8) || !file[8..].StartsWith("WAVE"u8) || at is < 12 or > 4_096 || file.Length < at + 34)
        {
            return null;
        }

        var format = file[(at + 8)..];
        var tag = BinaryPrimitives.ReadUInt16LittleEndian(format);
        tag = tag == Extensible ? BinaryPrimitives.ReadUInt16LittleEndian(format[24..]) : tag;
        var frames = BinaryPrimitives.ReadUInt32LittleEndian(format[4..]);
        var frameBits = BinaryPrimitives.ReadUInt16LittleEndian(format[2..]) * BinaryPrimitives.ReadUInt16LittleEndian(format[14..]);
        var rate = frames * (long)frameBits / 8;
        return tag is Integers or Floats && rate is >= FewestBytesPerSecond and <= MostBytesPerSecond ? (int)rate : null;
    }

    private static decimal Told(ReadOnlyMemory<byte> file)
    {
        foreach (var name in Names(file.Span))
        {
            try
            {
                using var read = TagLib.File.Create(new InMemory(name, file), TagLib.ReadStyle.Average);
                return read.Properties is { Duration.TotalSeconds: > 0 and < int.MaxValue } known ? (decimal)known.Duration.TotalSeconds : 0m;
            }
#pragma warning disable CA1031 // The file is a stranger's, and the library throws whatever comes up at broken ones: then nothing is told.
            catch (Exception)
#pragma warning restore CA1031
            {
                continue;
            }
        }

        return 0m;
    }

    /// <summary>The library chooses its reader by a file's name; the caller's may say anything, so its first bytes choose.</summary>
    private static string[] Names(ReadOnlySpan<byte> file) =>
        file.StartsWith("OggS"u8) ? ["a.ogg"]
        : file.StartsWith("fLaC"u8) ? ["a.flac"]
        : file.StartsWith((ReadOnlySpan<byte>)[0x1A, 0x45, 0xDF, 0xA3]) ? ["a.mkv"]
        : file.Length > 12 && file[4..].StartsWith("ftyp"u8) ? ["a.m4a"]
        : ["a.mp3"];

    private sealed class InMemory(string name, ReadOnlyMemory<byte> file) : TagLib.File.IFileAbstraction
    {
        public string Name => name;

        public Stream ReadStream { get; } =
            MemoryMarshal.TryGetArray(file, out var array) ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false) : new MemoryStream(file.ToArray(), writable: false);

        public Stream WriteStream => throw new NotSupportedException();

        public void CloseStream(Stream stream) => stream.Dispose();
    }
}
