using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Tests.Metering;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Budgets;

/// <summary>Budgets tell when they are half spent, at 80 % and spent: each once.</summary>
public sealed class BudgetEventsTests(Marketplace marketplace)
{
    private readonly Guid organisation = Guid.CreateVersion7();
    private readonly Guid key = Guid.CreateVersion7();
    private readonly DateTimeOffset today = DateTimeOffset.UtcNow; // What is told of periods that are long over is forgotten by whichever instance starts meanwhile.

    private UsageStore Store => marketplace.Service.App.Services.GetRequiredService<UsageStore>();

    [Fact]
    public async Task Budgets_of_the_organisation_of_a_key_and_of_an_end_user_tell_their_thresholds_as_calls_reach_them()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1), key: new { name = "k", budget = new { amount = 0.1m, currency = "USD", period = "day" } });
        await shop.Member.Client.PutAsJsonAsync("/api/v1/budgets/end-user?id=ann", new { amount = 0.02m, currency = "USD", period = "total" });
        await shop.Member.SetBudgetAsync(0.05m, "month");
        for (var i = 0; i < 7; i++)
        {
            await Json.UntilReadyAsync(() => shop.ChatAsync(i == 0 ? $"\"user\":\"ann\",{Shop.Hello}" : Shop.Hello));
        }

        var events = await EventsAsync(shop.Member.Id);

        Assert.Equal(
            ["end-user ann 50 0.01/0.02 total ", "organisation  50 0.03/0.05 month 01", "organisation  80 0.04/0.05 month 01", $"key {shop.Key.Id} 50 0.05/0.1 day DD", "organisation  100 0.05/0.05 month 01"],
            events.Select(told => string.Create(CultureInfo.InvariantCulture, $"{told.Text("scope")} {told.Text("endUser") ?? told.Text("keyId")} {told.GetProperty("threshold").GetInt32()} {told.GetProperty("spent").GetDecimal():0.##}/{told.GetProperty("amount").GetDecimal():0.##} {told.Text("period")} {Day(told)}")).OrderBy(told => told.Contains(" 100 ", StringComparison.Ordinal)));

        static string Day(JsonElement told) => told.Text("periodStart") is not { } start ? "" : told.Text("period") == "day" ? "DD" : start[^2..];
    }

    [Fact]
    public async Task A_call_that_crosses_several_tells_each_and_one_written_again_tells_nothing()
    {
        await SetBudgetAsync(1m);
        var batch = Batch(0.85m);

        await Store.WriteAsync(batch, CancellationToken.None);
        await Store.WriteAsync(batch, CancellationToken.None);
        await Store.WriteAsync(Batch(0.01m), CancellationToken.None);

        Assert.Equal([50, 80], await ThresholdsAsync());
        Assert.Equal(0.86m, await SpentAsync());
    }

    [Fact]
    public async Task Many_who_write_at_once_while_the_budget_is_set_come_to_the_exact_sum_and_tell_each_threshold_once()
    {
        var writers = Enumerable.Range(0, 8).Select(async i =>
        {
            for (var n = 0; n < 25; n++)
            {
                await Store.WriteAsync(Batch(0.01m), CancellationToken.None);
                if (i == 0 && n == 5)
                {
                    await SetBudgetAsync(2m);
                }
            }
        });

        await Task.WhenAll(writers);

        Assert.Equal([50, 80, 100], await ThresholdsAsync());
        Assert.Equal(2m, await SpentAsync());
    }

    [Fact]
    public async Task A_period_tells_its_own_thresholds_and_a_late_call_counts_in_the_period_of_its_admission()
    {
        await SetBudgetAsync(1m, "Day");
        await Store.WriteAsync(Batch(0.6m), CancellationToken.None);
        await Store.WriteAsync(Batch(0.9m, daysAgo: 1), CancellationToken.None);
        await Store.WriteAsync(Batch(0.3m), CancellationToken.None);

        var (on, before) = ($"{today:yyyy-MM-dd}", $"{today.AddDays(-1):yyyy-MM-dd}");
        Assert.Equal(
            [$"50 {on} 0.6", $"50 {before} 0.9", $"80 {before} 0.9", $"80 {on} 0.9"],
            (await EventsAsync(organisation)).Select(told => string.Create(CultureInfo.InvariantCulture, $"{told.GetProperty("threshold").GetInt32()} {told.Text("periodStart")} {told.GetProperty("spent").GetDecimal():0.##}")));
    }

    [Fact]
    public async Task An_outcome_that_corrects_a_lost_call_counts_and_calls_that_cost_nothing_do_not()
    {
        await SetBudgetAsync(1m);
        var call = Admission();
        await Store.WriteAsync(new UsageBatch([Records.Of(call, RequestOutcome.Lost)], [], [], null), CancellationToken.None);
        Assert.Empty(await ThresholdsAsync());

        await Store.WriteAsync(new UsageBatch([Records.Of(call, cost: 0.5m)], [], [], null), CancellationToken.None);

        Assert.Equal([50], await ThresholdsAsync());
    }

    [Fact]
    public async Task A_budget_of_another_amount_tells_its_thresholds_anew()
    {
        await SetBudgetAsync(1m);
        await Store.WriteAsync(Batch(0.9m), CancellationToken.None);
        await SetBudgetAsync(1.5m);
        await Store.WriteAsync(Batch(0.1m), CancellationToken.None);
        await Store.WriteAsync(Batch(0.2m), CancellationToken.None);

        Assert.Equal([50, 80, 50, 80], await ThresholdsAsync());
    }

    [Fact]
    public async Task An_amount_with_more_digits_than_a_decimal_has_holds_nothing_up()
    {
        await SetBudgetAsync(1_000m);

        await Store.WriteAsync(Batch(0.0000000000000000000000000123m), CancellationToken.None);
        await Store.WriteAsync(Batch(600m), CancellationToken.None);

        Assert.Equal([50], await ThresholdsAsync());
    }

    private UsageBatch Batch(decimal cost, int daysAgo = 0) => new([Records.Of(Admission(daysAgo), cost: cost)], [], [], null);

    private AdmissionRow Admission(int daysAgo = 0)
    {
        var plain = Records.Admission(organisation, Guid.CreateVersion7());
        return new AdmissionRow
        {
            RequestId = plain.RequestId, InstanceId = plain.InstanceId, OrganisationId = organisation, Generation = 0, KeyId = key, ListingId = plain.ListingId, VersionId = plain.VersionId,
            ProviderOrganisationId = plain.ProviderOrganisationId, Service = plain.Service, Operation = plain.Operation, Streamed = false, AdmittedAt = plain.AdmittedAt, Day = Periods.Day(today.AddDays(-daysAgo)),
            ReservedTokens = 0, ReservedNanos = 0, Currency = "USD", MicrosecondsPerToken = 0,
        };
    }

    private Task SetBudgetAsync(decimal amount, string period = "Month") => ExecuteAsync(
        """
        INSERT INTO budgets (organisation_id, amount, currency, period, changed_by, changed_at) VALUES ($1, $2, 'USD', $3, 'test', now())
        ON CONFLICT (organisation_id) DO UPDATE SET amount = excluded.amount, period = excluded.period
        """,
        organisation, amount, period);

    private async Task<List<int>> ThresholdsAsync() => [.. (await EventsAsync(organisation)).Select(told => told.GetProperty("threshold").GetInt32())];

    /// <summary>What the sum says that thresholds are found by.</summary>
    private async Task<decimal> SpentAsync()
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var read = new NpgsqlCommand("SELECT spent FROM budget_spending WHERE organisation_id = $1", connection) { Parameters = { new() { Value = organisation } } };
        return (decimal)(await read.ExecuteScalarAsync())!;
    }

    private async Task<List<JsonElement>> EventsAsync(Guid of)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var read = new NpgsqlCommand("SELECT data FROM messaging.outbox WHERE key = $1 AND type = $2 ORDER BY id", connection)
        {
            Parameters = { new() { Value = of }, new() { Value = ConsumptionEvents.BudgetThresholdReached } },
        };
        var events = new List<JsonElement>();
        await using var reader = await read.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            events.Add(JsonElement.Parse(reader.GetString(0)));
        }

        return events;
    }

    private async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(values.Select(value => new NpgsqlParameter { Value = value }).ToArray());
        await command.ExecuteNonQueryAsync();
    }
}
