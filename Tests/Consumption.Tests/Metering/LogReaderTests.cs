using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using LlmMarketplace.Consumption.Metering.UsageLog;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Metering;

public sealed class LogReaderTests : IDisposable
{
    private static readonly string[] Texts = ["the first", "", "the third, which is a little longer", "4"];
    private readonly LogFiles files = new();

    [Fact]
    public void A_log_that_is_cut_anywhere_gives_all_entries_before_the_cut_and_says_that_it_is_cut()
    {
        var (file, places) = files.Leave(512, Texts);
        var whole = File.ReadAllBytes(file);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(file, whole[..length]);

            var (entries, damage) = files.Read();

            Assert.Equal(Texts.Take(places.Count(place => place.To <= length)), entries.Select(LogFiles.Text));
            Assert.NotEmpty(damage);
        }
    }

    [Fact]
    public void A_tail_that_was_never_written_is_no_damage_and_half_an_entry_is_told_as_the_last()
    {
        var (file, places) = files.Leave(512, Texts);
        Assert.Empty(files.Read().Damage);

        var bytes = File.ReadAllBytes(file);
        bytes.AsSpan(places[^1].From + 20).Clear();
        File.WriteAllBytes(file, bytes);

        var (entries, damage) = files.Read();
        Assert.Equal(Texts[..^1], entries.Select(LogFiles.Text));
        Assert.True(Assert.Single(damage).Last);
    }

    [Fact]
    public void A_flipped_bit_anywhere_is_told_and_costs_no_entry_but_its_own()
    {
        var (file, places) = files.Leave(512, Texts);
        var bytes = File.ReadAllBytes(file);
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            File.WriteAllBytes(file, bytes);

            var (entries, damage) = files.Read();

            Assert.Equal(Texts.Where((_, i) => bit / 8 < places[i].From || bit / 8 >= places[i].To), entries.Select(LogFiles.Text));
            Assert.NotEmpty(damage);
            Assert.Equal(bit / 8 >= places[^1].From, damage[^1].Last);
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Property(MaxTest = 200)]
    public Property Whatever_is_overwritten_the_other_entries_are_read_and_a_gap_before_one_of_them_is_told() => Prop.ForAll(
        Gen.Choose(0, 700).ListOf().Select(sizes => sizes.Take(12).ToArray()).ToArbitrary(),
        Gen.Choose(0, 10_000).Two().ToArbitrary(),
        Gen.Choose(0, 255).ToArbitrary(),
        (sizes, range, value) =>
        {
            using var log = new LogFiles();
            var texts = sizes.Select((size, i) => new string((char)('a' + i), size)).ToArray();
            var (file, places) = log.Leave(16 * 1024, texts);
            var before = File.ReadAllBytes(file);
            var bytes = before.ToArray();
            bytes.AsSpan(Math.Min(range.Item1, range.Item2)..Math.Max(range.Item1, range.Item2)).Fill((byte)value);
            File.WriteAllBytes(file, bytes);
            var whole = places.Select(place => before.AsSpan(place.From..place.To).SequenceEqual(bytes.AsSpan(place.From..place.To))).ToArray();

            var (entries, damage) = log.Read();

            Assert.Equal(texts.Where((_, i) => whole[i]), entries.Select(LogFiles.Text));
            Assert.True(damage.Count > 0 || !whole.SkipWhile(fine => fine).Contains(true) || Array.IndexOf(whole, true) == Array.LastIndexOf(whole, false) + 1, "A gap was not told.");
        });

    [Fact]
    public void A_format_that_this_program_does_not_know_is_refused()
    {
        var (file, _) = files.Leave(512, Texts);
        var bytes = File.ReadAllBytes(file);
        bytes[8] = 2;
        BitConverter.TryWriteBytes(bytes.AsSpan(60), Frame.Crc32C(uint.MaxValue, bytes.AsSpan(0, 60)) ^ uint.MaxValue);
        File.WriteAllBytes(file, bytes);

        Assert.Contains("format 2", Assert.Throws<LogFormatException>(() => files.Read()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_checksum_is_the_one_of_RFC_3720()
    {
        Assert.Equal(0xE3069283, Frame.Crc32C(uint.MaxValue, "123456789"u8) ^ uint.MaxValue);
    }

    public void Dispose() => files.Dispose();
}
