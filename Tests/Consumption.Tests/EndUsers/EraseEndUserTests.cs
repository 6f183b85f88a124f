using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.EndUsers;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Tests.Metering;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using StackExchange.Redis;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.EndUsers;

public sealed class EraseEndUserTests(Marketplace marketplace)
{
    private const string Everywhere =
        """
        SELECT (SELECT count(*) FROM usage_records WHERE end_user = $1) + (SELECT count(*) FROM admissions WHERE end_user = $1) + (SELECT count(*) FROM budget_spending WHERE subject = $1)
             + (SELECT count(*) FROM budget_alerts WHERE subject = $1) + (SELECT count(*) FROM end_user_budgets WHERE end_user = $1 AND amount IS NOT NULL)
             + (SELECT count(*) FROM messaging.outbox WHERE data::text LIKE '%' || $1 || '%') + (SELECT count(*) FROM usage_corrections WHERE before::text LIKE '%' || $1 || '%')
        """;

    [Fact]
    public async Task An_erased_end_user_stands_nowhere_and_every_sum_stays_exact()
    {
        var (ann, bob) = ($"ann {Guid.CreateVersion7()}", $"bob {Guid.CreateVersion7()}");
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1), key: new { name = "test", budget = new { amount = 1m, currency = "USD", period = "total" } });
        await shop.Member.Client.PutAsJsonAsync("/api/v1/budgets/each-end-user", new { amount = 0.02m, currency = "USD", period = "total" });
        await shop.Member.Client.PutAsJsonAsync($"/api/v1/budgets/end-user?id={Uri.EscapeDataString(ann)}", new { amount = 0.5m, currency = "USD", period = "month" });
        var keys = marketplace.Service.App.Services.GetRequiredService<KeyRing>();
        await Until.TrueAsync(() => keys.Find(shop.Key.Text.Substring(7, 12)) is { } key && keys.BudgetOf(ann, key)?.Amount == 0.5m && keys.BudgetOf(bob, key)?.Amount == 0.02m);
        foreach (var user in new[] { ann, ann, ann, bob })
        {
            Assert.Equal(HttpStatusCode.OK, (await CallAsync(shop, user)).StatusCode);
        }

        await shop.ShippedAsync();
        await Until.TrueAsync(async () => await CountAsync(Everywhere, ann) >= 3 + 1 + 1 + 3); // Records, spending, the budget, events.

        using var answer = await shop.Member.Client.PostAsJsonAsync("/api/v1/end-users/erase", new { endUser = ann });

        var erased = await answer.JsonAsync();
        Assert.Equal((HttpStatusCode.OK, 3), (answer.StatusCode, erased.GetProperty("records").GetInt64()));
        Assert.Equal(0, await CountAsync(Everywhere, ann));
        Assert.Equal(
            [(bob, 1, 0.01m), (erased.Text("pseudonym"), 3, 0.03m)],
            (await shop.Member.UsageAsync("endUser")).GetProperty("items").EnumerateArray().Select(item => (item.Text("endUser"), (int)item.GetProperty("calls").GetInt64(), item.GetProperty("cost").GetDecimal())).OrderBy(item => item.Item3));
        Assert.Equal((4, 0.04m), await shop.TotalAsync());

        // Redis, whose fields can be reckoned from ids; and the key's budget holds what was spent.
        await using var redis = await ConnectionMultiplexer.ConnectAsync((await marketplace.SettingsAsync())["ConnectionStrings:redis"]!);
        await Until.TrueAsync(async () => !await redis.GetDatabase().HashExistsAsync(LimitScripts.EndUsersKeyOf(shop.Member.Id), LimitScripts.FieldOfEndUser(ann)));
        await Until.TrueAsync(async () =>
        {
            using var shown = await shop.Client.GetAsync("/v1/key");
            return shown.IsSuccessStatusCode && (await shown.JsonAsync()).GetProperty("key").GetProperty("budget").GetProperty("spent").GetDecimal() == 0.04m;
        });

        var listed = (await shop.Member.Client.GetFromJsonAsync<JsonElement>("/api/v1/end-users/erasures")).GetProperty("items").EnumerateArray().Single();
        Assert.Equal((erased.GetProperty("id").GetGuid(), 3), (listed.GetProperty("id").GetGuid(), listed.GetProperty("records").GetInt64()));
        Assert.NotEmpty(listed.Text("requestedBy")!);
        Assert.DoesNotContain("ann", listed.GetRawText(), StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync("SELECT count(*) FROM end_user_erasures e WHERE e::text LIKE '%' || $1 || '%'", ann));
    }

    [Fact]
    public async Task A_call_that_ran_when_its_end_user_was_erased_is_found_afterwards_and_a_new_one_is_new()
    {
        var carl = $"carl {Guid.CreateVersion7()}";
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(gate.Task, ProviderScripts.Chat("hi", 1, 1)));
        var running = CallAsync(shop, carl);
        await Until.TrueAsync(() => shop.Seen.Count == 1);
        using var answer = await shop.Member.Client.PostAsJsonAsync("/api/v1/end-users/erase", new { endUser = carl });
        gate.SetResult();
        var late = (await running).RequestId();
        var after = (await CallAsync(shop, carl)).RequestId();
        Assert.Equal(carl, (await shop.Member.RecordAsync(late)).Text("endUser"));

        await marketplace.Service.App.Services.GetServices<IHostedService>().OfType<FinishErasures>().Single().RunAsync(CancellationToken.None);

        Assert.Equal((await answer.JsonAsync()).Text("pseudonym"), (await shop.Member.RecordAsync(late)).Text("endUser"));
        Assert.Equal(carl, (await shop.Member.RecordAsync(after)).Text("endUser"));
    }

    [Fact]
    public async Task An_outcome_that_comes_after_the_erasure_and_corrects_a_lost_record_brings_no_id_back()
    {
        var (member, emil) = (await marketplace.AddOrganisationAsync(), $"emil {Guid.CreateVersion7()}");
        var call = Call(member.Id, emil, DateTimeOffset.UtcNow.AddDays(-3)); // Longer ago than any call lasts.
        await Store.WriteAsync(new UsageBatch([Records.Of(call, RequestOutcome.Lost)], [], [], null), CancellationToken.None);
        using var answer = await member.Client.PostAsJsonAsync("/api/v1/end-users/erase", new { endUser = emil });
        await Store.WriteAsync(new UsageBatch([Records.Of(call, output: 40, cost: 0.25m)], [], [], null), CancellationToken.None);
        Assert.True(await CountAsync(Everywhere, emil) > 0);

        await Finishing().RunAsync(CancellationToken.None);

        Assert.Equal(0, await CountAsync(Everywhere, emil));
        var record = await member.RecordAsync(call.RequestId);
        Assert.Equal(((await answer.JsonAsync()).Text("pseudonym"), 0.25m), (record.Text("endUser"), record.GetProperty("cost").GetDecimal()));
    }

    [Fact]
    public async Task Records_that_are_shipped_days_after_the_erasure_and_calls_that_are_logged_after_it_are_found()
    {
        var (member, fay) = (await marketplace.AddOrganisationAsync(), $"fay {Guid.CreateVersion7()}");
        var now = DateTimeOffset.UtcNow;
        using var answer = await member.Client.PostAsJsonAsync("/api/v1/end-users/erase", new { endUser = fay });
        await ErasedAtAsync(member.Id, now.AddDays(-5));
        var (before, after) = (Call(member.Id, fay, now.AddDays(-8)), Call(member.Id, fay, now.AddDays(-4)));
        await Store.WriteAsync(new UsageBatch([Records.Of(before), Records.Of(after)], [], [], null), CancellationToken.None); // By a log that was away.

        await Finishing().RunAsync(CancellationToken.None);

        Assert.Equal(((await answer.JsonAsync()).Text("pseudonym"), fay), ((await member.RecordAsync(before.RequestId)).Text("endUser"), (await member.RecordAsync(after.RequestId)).Text("endUser")));

        // What was logged of a call may come even later than its record.
        foreach (var call in new[] { before, after })
        {
            await CountAsync(
                "WITH made AS (INSERT INTO call_logs (organisation_id, call_id, key_id, service, operation, outcome, status_code, end_user, sealed_by, sealed, bytes, admitted_at, expires_at) VALUES ($1, $2, $2, '', '', '', 200, $3, '', '', 0, $4, now() + interval '1 day') RETURNING 1) SELECT count(*) FROM made",
                member.Id, call.RequestId, fay, call.AdmittedAt);
        }

        await Finishing().RunAsync(CancellationToken.None);

        Assert.Equal((0, 1), (await CountAsync("SELECT count(*) FROM call_logs WHERE call_id = $1", before.RequestId), await CountAsync("SELECT count(*) FROM call_logs WHERE call_id = $1", after.RequestId)));
    }

    [Fact]
    public async Task After_thirty_days_nothing_is_kept_by_which_the_id_would_be_known()
    {
        var (member, gus) = (await marketplace.AddOrganisationAsync(), $"gus {Guid.CreateVersion7()}");
        await member.Client.PutAsJsonAsync($"/api/v1/budgets/end-user?id={Uri.EscapeDataString(gus)}", new { amount = 0.5m, currency = "USD", period = "month" });
        using var answer = await member.Client.PostAsJsonAsync("/api/v1/end-users/erase", new { endUser = gus });
        const string Budgets = "SELECT count(*) FROM end_user_budgets WHERE end_user = $1";
        const string Marks = "SELECT count(*) FROM end_user_erasures WHERE organisation_id = $1 AND mark IS NOT NULL";

        await ErasedAtAsync(member.Id, DateTimeOffset.UtcNow.AddDays(-29));
        await CountAsync("WITH moved AS (UPDATE end_user_budgets SET changed_at = $2 WHERE end_user = $1 RETURNING 1) SELECT count(*) FROM moved", gus, DateTimeOffset.UtcNow.AddDays(-31));
        await Finishing().RunAsync(CancellationToken.None);
        Assert.Equal((1, 1), (await CountAsync(Budgets, gus), await CountAsync(Marks, member.Id)));
        await ErasedAtAsync(member.Id, DateTimeOffset.UtcNow.AddDays(-31));
        await Finishing().RunAsync(CancellationToken.None);

        Assert.Equal((0, 0), (await CountAsync(Budgets, gus), await CountAsync(Marks, member.Id)));
        Assert.Equal(1, (await member.Client.GetFromJsonAsync<JsonElement>("/api/v1/end-users/erasures")).GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task Nobody_erases_another_organisations_end_users()
    {
        var dora = $"dora {Guid.CreateVersion7()}";
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        var call = (await CallAsync(shop, dora)).RequestId();
        Assert.Equal(dora, (await shop.Member.RecordAsync(call)).Text("endUser"));
        var stranger = await marketplace.AddOrganisationAsync();

        using var answer = await stranger.Client.PostAsJsonAsync("/api/v1/end-users/erase", new { endUser = dora });

        Assert.Equal(0, (await answer.JsonAsync()).GetProperty("records").GetInt64());
        Assert.Equal(dora, (await shop.Member.RecordAsync(call)).Text("endUser"));
        using var nobody = await stranger.Client.PostAsJsonAsync("/api/v1/end-users/erase", new { endUser = "" });
        Assert.Equal(HttpStatusCode.BadRequest, nobody.StatusCode);
    }

    [Fact]
    public async Task Sums_and_alerts_of_periods_that_are_long_over_are_removed_and_those_of_ever_and_of_late_are_kept()
    {
        var organisation = Guid.CreateVersion7();
        var (now, old) = (DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddDays(-70));
        int[] periods = [0, Day(now), Day(now) / 100 * 100, Day(now.AddDays(-40)), Day(old), Day(now.AddDays(-150)) / 100 * 100];
        foreach (var period in periods)
        {
            await CountAsync("WITH made AS (INSERT INTO budget_spending (organisation_id, scope, subject, period_start, spent) VALUES ($1, 'Organisation', '', $2, 1) RETURNING 1) SELECT count(*) FROM made", organisation, period);
            await CountAsync("WITH made AS (INSERT INTO budget_alerts (organisation_id, scope, subject, set_by, period_start, amount, threshold) VALUES ($1, 'Organisation', '', '', $2, 1, 50) RETURNING 1) SELECT count(*) FROM made", organisation, period);
        }

        await marketplace.Service.App.Services.GetServices<IHostedService>().OfType<ForgetSpending>().Single().RunAsync(CancellationToken.None);

        foreach (var table in new[] { "budget_spending", "budget_alerts" })
        {
            foreach (var (index, period) in periods.Index())
            {
                Assert.Equal(index < 4 ? 1 : 0, await CountAsync($"SELECT count(*) FROM {table} WHERE organisation_id = $1 AND period_start = $2", organisation, period));
            }
        }

        static int Day(DateTimeOffset at) => Periods.Day(at);
    }

    private UsageStore Store => marketplace.Service.App.Services.GetRequiredService<UsageStore>();

    /// <summary>As at a start: it looks for all that may have come.</summary>
    private FinishErasures Finishing() => ActivatorUtilities.CreateInstance<FinishErasures>(marketplace.Service.App.Services);

    private static AdmissionRow Call(Guid organisation, string endUser, DateTimeOffset at) => new()
    {
        RequestId = Guid.CreateVersion7(), InstanceId = Guid.CreateVersion7(), OrganisationId = organisation, Generation = 0, KeyId = Guid.CreateVersion7(), ListingId = Guid.CreateVersion7(),
        VersionId = Guid.CreateVersion7(), ProviderOrganisationId = Guid.CreateVersion7(), Service = "acme/gone", Operation = "chat.completions", Streamed = false, AdmittedAt = at, Day = Periods.Day(at),
        ReservedTokens = 0, ReservedNanos = 0, Currency = "USD", MicrosecondsPerToken = 0, EndUser = endUser,
    };

    private Task<long> ErasedAtAsync(Guid organisation, DateTimeOffset at) =>
        CountAsync("WITH moved AS (UPDATE end_user_erasures SET requested_at = $2 WHERE organisation_id = $1 RETURNING 1) SELECT count(*) FROM moved", organisation, at);

    private static Task<HttpResponseMessage> CallAsync(Shop shop, string user) =>
        Json.UntilReadyAsync(() => shop.Client.PostJsonAsync("/v1/chat/completions", shop.Body($"{Shop.Hello},\"user\":\"{user}\"")));

    private async Task<long> CountAsync(string sql, params object[] values)
    {
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var count = database.CreateCommand(sql);
        count.Parameters.AddRange(Array.ConvertAll(values, value => new NpgsqlParameter { Value = value }));
        return (long)(await count.ExecuteScalarAsync())!;
    }
}
