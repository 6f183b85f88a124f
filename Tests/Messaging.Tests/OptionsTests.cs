using LlmMarketplace.Servers;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Messaging.Tests;

public sealed class OptionsTests(PostgresServer postgres)
{
    [Theory]
    [InlineData("Messaging:Transport", "", "Messaging:Transport is not set. Set it to Feed")]
    [InlineData("Messaging:PollInterval", "00:00:01", "Messaging:PollInterval must lie between 10 ms and 500 ms.")]
    [InlineData("Messaging:BatchSize", "0", "Messaging:BatchSize must lie between 1 and 1000.")]
    [InlineData("Messaging:RetryDelays:0", "-00:00:01", "Messaging:RetryDelays must each lie between 0 and 1 hour")]
    [InlineData("Messaging:Retention", "00:00:00", "Messaging:Retention must be at least a second.")]
    [InlineData("Messaging:SweepInterval", "00:00:00", "Messaging:SweepInterval must lie between a second and a day.")]
    [InlineData("Messaging:Kafka:Partitions", "0", "Messaging:Kafka:Partitions must lie between 1 and 1000.")]
    [InlineData("Messaging:Kafka:ReplicationFactor", "0", "Messaging:Kafka:ReplicationFactor must be -1 (the broker's default) or above zero.")]
    [InlineData("Messaging:Kafka:SessionTimeout", "00:00:00.5", "Messaging:Kafka:SessionTimeout must lie between 6 s and 5 min")]
    public async Task A_wrong_setting_stops_the_start_and_says_what_would_be_right(string setting, string value, string message)
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => EventsService.StartAsync(postgres, settings: new() { [setting] = value }));
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_handler_is_tried_again_after_1_2_and_4_seconds_unless_told_otherwise()
    {
        Assert.Equal([1, 2, 4], new MessagingOptions().Delays.Select(delay => delay.TotalSeconds));
        Assert.Equal([3], new MessagingOptions { RetryDelays = [TimeSpan.FromSeconds(3)] }.Delays.Select(delay => delay.TotalSeconds));
    }
}
