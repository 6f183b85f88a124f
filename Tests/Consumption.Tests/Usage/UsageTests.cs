using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Usage;

/// <summary><c>/api/v1/usage</c>, <c>/api/v1/usage/records</c> and <c>/api/v1/quota</c>.</summary>
public sealed class UsageTests(Marketplace marketplace)
{
    [Fact]
    public async Task Usage_is_summed_by_key_by_service_and_by_day_to_the_last_digit()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 7, 3, cachedTokens: 2), Prices.PerMillionTokens(0.1234567m, 9.87654321m, cached: 0.0000001m));
        using var failing = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(500));
        var second = await shop.Member.CreateKeyAsync();
        using var other = second.Client();
        for (var i = 0; i < 3; i++)
        {
            await shop.ChatAsync();
        }

        await shop.ChatAsync(client: other);
        await other.PostJsonAsync("/v1/chat/completions", failing.Body());
        const decimal each = ((5 * 0.1234567m) + (2 * 0.0000001m) + (3 * 9.87654321m)) / 1_000_000m;

        var byKey = await shop.Member.UsageAsync("key");
        AssertItem(byKey.GetProperty("total"), 5, 4, 28, 8, 12, 4 * each);
        AssertItem(byKey.GetProperty("items").EnumerateArray().Single(item => item.GetProperty("key").GetGuid() == shop.Key.Id), 3, 3, 21, 6, 9, 3 * each);
        AssertItem(byKey.GetProperty("items").EnumerateArray().Single(item => item.GetProperty("key").GetGuid() == second.Id), 2, 1, 7, 2, 3, each);

        var byService = (await shop.Member.UsageAsync("service")).GetProperty("items").EnumerateArray().ToDictionary(item => item.Text("service")!);
        Assert.Equal(new[] { shop.Model, failing.Model }.Order(StringComparer.Ordinal), byService.Keys);
        AssertItem(byService[shop.Model], 4, 4, 28, 8, 12, 4 * each);
        AssertItem(byService[failing.Model], 1, 0, 0, 0, 0, 0);

        var byDay = await shop.Member.UsageAsync();
        Assert.Equal("USD", byDay.Text("currency"));
        Assert.Equal(5, byDay.GetProperty("items").EnumerateArray().Sum(item => item.GetProperty("calls").GetInt64()));
        Assert.All(byDay.GetProperty("items").EnumerateArray(), item => Assert.True(DateOnly.TryParseExact(item.Text("day"), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _)));
    }

    [Fact]
    public async Task A_key_sees_its_own_usage_and_a_person_all_of_the_organisation()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 7, 3));
        using var other = (await shop.Member.CreateKeyAsync()).Client();
        var mine = await shop.ChatAsync();
        var its = await shop.ChatAsync(client: other);

        Assert.Equal(1, (await shop.Client.GetFromJsonAsync<JsonElement>("/api/v1/usage")).GetProperty("total").GetProperty("calls").GetInt64());
        Assert.Equal(mine.Header("x-request-id"), Assert.Single(await RecordsAsync(shop.Client)).Text("requestId"));
        Assert.Empty(await RecordsAsync(shop.Client, $"requestId={its.RequestId()}"));
        Assert.Equal(2, (await shop.TotalAsync()).Calls);
        Assert.Equal(2, (await RecordsAsync(shop.Member.Client)).Count);
    }

    [Fact]
    public async Task Nobody_sees_another_organisations_usage()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 7, 3));
        var id = (await shop.ChatAsync()).RequestId();
        var stranger = await marketplace.AddOrganisationAsync();
        using var key = (await stranger.CreateKeyAsync()).Client();
        using var provider = marketplace.Service.ClientWith(marketplace.Identity.Token(shop.Listing.OrganisationId, "acme", [Roles.Consumer, Roles.Provider]));

        foreach (var client in new[] { stranger.Client, key, provider })
        {
            Assert.Empty(await RecordsAsync(client, $"requestId={id}"));
            Assert.DoesNotContain(shop.Model, await client.GetStringAsync("/api/v1/usage?groupBy=service"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Records_are_listed_newest_first_page_by_page()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 7, 3));
        var made = new List<string?>();
        for (var i = 0; i < 5; i++)
        {
            made.Insert(0, (await shop.ChatAsync()).Header("x-request-id"));
        }

        var listed = new List<string?>();
        string? cursor = null;
        do
        {
            var page = await shop.Client.GetFromJsonAsync<JsonElement>($"/api/v1/usage/records?limit=2{(cursor is null ? "" : $"&cursor={cursor}")}");
            Assert.InRange(page.GetProperty("items").GetArrayLength(), 1, 2);
            listed.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.Text("requestId")));
            cursor = page.Text("nextCursor");
        }
        while (cursor is not null);

        Assert.Equal(made, listed);
        Assert.Equal((400, "invalid_cursor"), await (await shop.Client.GetAsync("/api/v1/usage/records?cursor=made-up")).ProblemAsync());
    }

    [Fact]
    public async Task A_span_of_time_takes_its_beginning_and_leaves_its_end()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 7, 3));
        var admitted = (await shop.RecordAsync(await shop.ChatAsync())).Text("admittedAt")!;
        await shop.ChatAsync();

        async Task<long> CallsAsync(string query) => (await shop.Client.GetFromJsonAsync<JsonElement>($"/api/v1/usage?{query}")).GetProperty("total").GetProperty("calls").GetInt64();

        Assert.Equal(2, await CallsAsync($"from={Uri.EscapeDataString(admitted)}"));
        Assert.Equal(0, await CallsAsync($"to={Uri.EscapeDataString(admitted)}"));
        Assert.Equal(0, await CallsAsync("from=2001-01-01T00:00:00Z&to=2001-02-01T00:00:00Z"));
    }

    [Fact]
    public async Task Who_has_no_token_no_key_or_not_the_role_sees_nothing()
    {
        var member = await marketplace.AddOrganisationAsync();
        using var approver = marketplace.Service.ClientWith(marketplace.Identity.Token(member.Id, member.Organisation.Slug, [Roles.Approver]));
        using var expired = marketplace.Service.ClientWith(marketplace.Identity.Token(member.Id, member.Organisation.Slug, [Roles.Consumer], lifetime: TimeSpan.FromMinutes(-20)));
        using var forged = marketplace.Service.ClientWith("llm_mk_" + new string('0', 48));
        using var half = marketplace.Service.ClientWith("llm_mk_short");

        foreach (var path in new[] { "/api/v1/usage", "/api/v1/usage/records", "/api/v1/quota" })
        {
            Assert.Equal((403, "forbidden"), await (await approver.GetAsync(path)).ProblemAsync());
            Assert.Equal((401, "unauthenticated"), await (await marketplace.Service.Client.GetAsync(path)).ProblemAsync());
            Assert.Equal((401, "unauthenticated"), await (await expired.GetAsync(path)).ProblemAsync());
            Assert.Equal((401, "invalid_api_key"), await (await forged.GetAsync(path)).ProblemAsync());
            Assert.Equal((401, "invalid_api_key"), await (await half.GetAsync(path)).ProblemAsync());
        }

        Assert.Equal((400, "invalid_group"), await (await member.Client.GetAsync("/api/v1/usage?groupBy=colour")).ProblemAsync());
    }

    [Fact]
    public async Task The_quota_tells_what_is_used_reserved_and_left()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(
            marketplace, ProviderScripts.OneByOne(ProviderScripts.Chat("hi", 7, 3), ProviderScripts.After(gate.Task, ProviderScripts.Chat("hi", 7, 3))), tier: OrganisationTier.Premium,
            key: new { name = "k", budget = new { amount = 1, currency = "USD", period = "month" } });
        await shop.Member.SetBudgetAsync(5m, "day");
        await shop.ChatAsync();

        var settled = await shop.Client.GetFromJsonAsync<JsonElement>("/api/v1/quota");
        Assert.Equal(("premium", 100, 200), (settled.Text("tier")!.ToLowerInvariant(), settled.GetProperty("requestsPerSecond").GetInt32(), settled.GetProperty("burst").GetInt32()));
        Assert.Equal((10_000_000, 10, 9_999_990), (settled.GetProperty("tokens").GetProperty("limit").GetInt64(), settled.GetProperty("tokens").GetProperty("used").GetInt64(), settled.GetProperty("tokens").GetProperty("remaining").GetInt64()));
        AssertBudget(settled.GetProperty("organisationBudget"), 5m, 0.01m);
        AssertBudget(settled.GetProperty("keyBudget"), 1m, 0.01m);
        Assert.Equal(1, settled.GetProperty("tokens").GetProperty("resetsAt").GetDateTimeOffset().UtcDateTime.Day);

        var open = shop.ChatAsync();
        await Until.TrueAsync(() => shop.Seen.Count == 2);
        await Until.TrueAsync(async () => (await shop.Client.GetFromJsonAsync<JsonElement>("/api/v1/quota")).GetProperty("keyBudget").GetProperty("spent").GetDecimal() == 0.02m);
        gate.SetResult();
        await open;

        var asPerson = await shop.Member.Client.GetFromJsonAsync<JsonElement>("/api/v1/quota");
        Assert.Equal(JsonValueKind.Null, asPerson.GetProperty("keyBudget").ValueKind);
        AssertBudget(asPerson.GetProperty("organisationBudget"), 5m, 0.02m);
    }

    [Fact]
    public async Task A_budget_is_set_read_and_taken_away_by_its_organisation()
    {
        var member = await marketplace.AddOrganisationAsync();
        Assert.Equal((404, "not_found"), await (await member.Client.GetAsync("/api/v1/budgets")).ProblemAsync());

        await member.SetBudgetAsync(1.000000001m, "month");

        var budget = await member.Client.GetFromJsonAsync<JsonElement>("/api/v1/budgets");
        Assert.Equal((1.000000001m, "USD", "month"), (budget.GetProperty("amount").GetDecimal(), budget.Text("currency"), budget.Text("period")));
        Assert.Equal(HttpStatusCode.NotFound, (await (await marketplace.AddOrganisationAsync()).Client.GetAsync("/api/v1/budgets")).StatusCode);
        Assert.Equal((400, "invalid_amount"), await (await member.Client.PutAsJsonAsync("/api/v1/budgets", new { amount = 1.0000000001m, currency = "USD", period = "month" })).ProblemAsync());
        Assert.Equal((400, "invalid_amount"), await (await member.Client.PutAsJsonAsync("/api/v1/budgets", new { amount = 10_000_000m, currency = "USD", period = "month" })).ProblemAsync());
        Assert.Equal(HttpStatusCode.NoContent, (await member.Client.DeleteAsync("/api/v1/budgets")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await member.Client.GetAsync("/api/v1/budgets")).StatusCode);
    }

    private static async Task<List<JsonElement>> RecordsAsync(HttpClient client, string query = "") =>
        [.. (await client.GetFromJsonAsync<JsonElement>($"/api/v1/usage/records?{query}")).GetProperty("items").EnumerateArray()];

    private static void AssertBudget(JsonElement state, decimal amount, decimal spent) => Assert.Equal(
        (amount, spent, amount - spent), (state.GetProperty("amount").GetDecimal(), state.GetProperty("spent").GetDecimal(), state.GetProperty("remaining").GetDecimal()));

    private static void AssertItem(JsonElement item, long calls, long completed, long input, long cached, long output, decimal cost) => Assert.Equal(
        (calls, completed, input, cached, output, cost),
        (item.GetProperty("calls").GetInt64(), item.GetProperty("completed").GetInt64(), item.GetProperty("inputTokens").GetInt64(), item.GetProperty("cachedInputTokens").GetInt64(),
            item.GetProperty("outputTokens").GetInt64(), item.GetProperty("cost").GetDecimal()));
}
