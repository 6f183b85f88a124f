using System.Text;
using FsCheck;
using FsCheck.Xunit;
using LlmMarketplace.Consumption.Calls;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

public sealed class SseBufferTests
{
    private static readonly string[] Events = ["data: a\n\n", "data: b\r\n\r\n", ": comment\n\n", "event: x\ndata: c\n\n", "\n", "\r\n", "data: d\n\r\n", "data: ä ✓ 𝄞\n\n"];

    [Property]
    public void Whole_events_come_out_byte_for_byte_wherever_the_bytes_are_cut(byte[] choices, PositiveInt piece)
    {
        var sent = choices.Select(choice => Events[choice % Events.Length]).ToList();

        Assert.Equal(sent, Read(string.Concat(sent), piece.Get));
    }

    [Fact]
    public void Lines_may_end_by_CR() => Assert.Equal(["data: a\r\r", "data: b\r\r"], Read("data: a\r\rdata: b\r\r:", 100));

    [Fact]
    public void What_is_not_ended_is_held_back()
    {
        using var buffer = new SseBuffer(1_000);
        Fill(buffer, "data: a\n");

        Assert.False(buffer.TryTake(out _));
        Assert.True(buffer.HasPartial);
    }

    [Fact]
    public void An_event_that_is_too_long_is_refused_and_many_short_ones_are_not()
    {
        using var buffer = new SseBuffer(20_000);
        for (var i = 0; i < 10_000; i++)
        {
            Fill(buffer, "data: a\n\n");
            Assert.True(buffer.TryTake(out _));
        }

        Assert.Throws<EventTooLongException>(() =>
        {
            for (var i = 0; i < 10_000; i++)
            {
                Fill(buffer, "data: a\n");
                Assert.False(buffer.TryTake(out _));
            }
        });
    }

    private static List<string> Read(string text, int piece)
    {
        using var buffer = new SseBuffer(100_000);
        var events = new List<string>();
        foreach (var bytes in Encoding.UTF8.GetBytes(text).Chunk(piece))
        {
            for (var rest = bytes.AsSpan(); !rest.IsEmpty;)
            {
                var room = buffer.Room().Span;
                var fits = Math.Min(room.Length, rest.Length);
                rest[..fits].CopyTo(room);
                rest = rest[fits..];
                buffer.Filled(fits);
                while (buffer.TryTake(out var taken))
                {
                    events.Add(Encoding.UTF8.GetString(taken.Span));
                }
            }
        }

        return events;
    }

    private static void Fill(SseBuffer buffer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        bytes.CopyTo(buffer.Room());
        buffer.Filled(bytes.Length);
    }
}
