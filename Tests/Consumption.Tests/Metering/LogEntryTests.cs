using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering.UsageLog;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Metering;

public sealed class LogEntryTests
{
    [Fact]
    public void An_admission_is_read_as_it_was_written()
    {
        var admission = Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7());
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(admission);

        Assert.Equal(JsonSerializer.Serialize(admission), JsonSerializer.Serialize(LogEntry.ReadIntent(buffer.WrittenSpan)));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("""{"prompt_tokens":3,"completion_tokens":7}""")]
    public void An_outcome_is_read_as_it_was_written_to_the_last_digit(string? told)
    {
        var record = Records.Of(Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7()), RequestOutcome.Cut, 7, 0.0000000000000000000000000123m, told);
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(record);

        Assert.Equal(JsonSerializer.Serialize(record), JsonSerializer.Serialize(LogEntry.ReadOutcome(buffer.WrittenSpan)));
    }

    [Fact]
    public void An_entry_of_another_version_is_refused()
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7()));
        var payload = buffer.WrittenSpan.ToArray();
        payload[0] = 9;

        Assert.Contains("version 9", Assert.Throws<LogFormatException>(() => LogEntry.ReadIntent(payload)).Message, StringComparison.Ordinal);
    }
}
