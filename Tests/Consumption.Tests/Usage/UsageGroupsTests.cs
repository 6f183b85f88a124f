using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Tests.Attribution;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Usage;

/// <summary><c>GET /api/v1/usage</c> by groups, with filters, in pages and as CSV.</summary>
public sealed class UsageGroupsTests(Marketplace marketplace)
{
    [Theory]
    [InlineData("model", "model", "MODEL@1.0.0:5")]
    [InlineData("tag", "tag", "feature=chat:1 team=search:2 team=sales:1 :2")]
    [InlineData("tag:team", "tag", "team=sales:1 team=search:2 :2")]
    [InlineData("endUser", "endUser", "ann:2 bob:1 :2")]
    [InlineData("outcome", "outcome", "completed:4 refused-by-provider:1")]
    public async Task Usage_is_summed_by_group_and_the_total_has_each_call_once(string groupBy, string member, string expected)
    {
        using var shop = await WithFiveCallsAsync();

        var usage = await shop.Member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/usage?groupBy={groupBy}");

        var items = usage.GetProperty("items").EnumerateArray().ToDictionary(item => (item.Text(member) ?? "").Replace(shop.Model, "MODEL", StringComparison.Ordinal), item => item.GetProperty("calls").GetInt64());
        var wanted = expected.Split(' ').Select(item => item.Split(':')).ToDictionary(parts => parts[0], parts => long.Parse(parts[1], CultureInfo.InvariantCulture));
        Assert.Equal(wanted.OrderBy(pair => pair.Key, StringComparer.Ordinal), items.OrderBy(pair => pair.Key, StringComparer.Ordinal));
        Assert.Equal((5, 0.04m), (usage.GetProperty("total").GetProperty("calls").GetInt64(), usage.GetProperty("total").GetProperty("cost").GetDecimal()));
        Assert.Equal(JsonValueKind.Null, usage.GetProperty("nextCursor").ValueKind);
    }

    [Theory]
    [InlineData("tag=team%3Dsearch", 2)]
    [InlineData("tag=team", 3)]
    [InlineData("tag=team%3Dsearch&endUser=bob", 1)]
    [InlineData("endUser=ann", 2)]
    [InlineData("outcome=refused-by-provider", 1)]
    [InlineData("service=acme/other", 0)]
    [InlineData("service=MODEL", 5)]
    [InlineData("key=KEY", 5)]
    [InlineData("key=00000000-0000-0000-0000-000000000000", 0)]
    public async Task Filters_leave_the_calls_for_which_all_of_them_hold(string filter, long calls)
    {
        using var shop = await WithFiveCallsAsync();
        var query = filter.Replace("MODEL", shop.Model, StringComparison.Ordinal).Replace("KEY", shop.Key.Id.ToString(), StringComparison.Ordinal);

        var usage = await shop.Member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/usage?groupBy=tag&{query}");

        Assert.Equal(calls, usage.GetProperty("total").GetProperty("calls").GetInt64());
        Assert.Equal(calls == 0, usage.GetProperty("items").GetArrayLength() == 0);
        Assert.Equal(calls, (await shop.Member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/usage/records?{query}")).GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task A_key_filters_among_its_own_calls_only()
    {
        using var shop = await WithFiveCallsAsync();
        using var other = (await shop.Member.CreateKeyAsync()).Client();

        var usage = await other.GetFromJsonAsync<JsonElement>($"/api/v1/usage?groupBy=endUser&key={shop.Key.Id}");

        Assert.Equal((0, 0), (usage.GetProperty("total").GetProperty("calls").GetInt64(), usage.GetProperty("items").GetArrayLength()));
    }

    [Fact]
    public async Task Groups_come_page_by_page_in_their_order_and_those_without_last()
    {
        using var shop = await WithFiveCallsAsync();
        var names = new List<string?>();
        string? cursor = null;
        do
        {
            var page = await shop.Member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/usage?groupBy=tag&limit=2{(cursor is null ? "" : $"&cursor={cursor}")}");
            Assert.Equal(5, page.GetProperty("total").GetProperty("calls").GetInt64());
            names.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.Text("tag")));
            cursor = page.Text("nextCursor");
        }
        while (cursor is not null);

        Assert.Equal(["feature=chat", "team=sales", "team=search", null], names);
        Assert.Equal((400, "invalid_cursor"), await (await shop.Member.Client.GetAsync("/api/v1/usage?cursor=made-up")).ProblemAsync());
    }

    [Theory]
    [InlineData("groupBy=tag:a%20b", "invalid_group")]
    [InlineData("tag=a%2Cb", "invalid_tag")]
    [InlineData("endUser=%00", "invalid_end_user")]
    [InlineData("outcome=Completed", "invalid_outcome")]
    [InlineData("from=2026-02-01T00:00:00Z&to=2026-02-01T00:00:00Z", "invalid_range")]
    public async Task What_cannot_be_asked_is_refused(string query, string code)
    {
        var member = await marketplace.AddOrganisationAsync();

        Assert.Equal((400, code), await (await member.Client.GetAsync($"/api/v1/usage?{query}")).ProblemAsync());
    }

    [Fact]
    public async Task As_csv_all_groups_come_at_once_and_none_is_a_formula()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 7, 3));
        foreach (var user in new[] { "=HYPERLINK(\"http://evil\")", "@SUM(A1)", "-1+1", "plain, \"quoted\"", "zoë" })
        {
            await CallAsync(shop, user);
        }

        await CallAsync(shop, null);
        await shop.ShippedAsync();

        var answer = await GetAsync(shop.Member.Client, "/api/v1/usage?groupBy=endUser&limit=1", "text/csv");

        Assert.Equal("text/csv; charset=utf-8", answer.Content.Headers.ContentType?.ToString());
        Assert.Equal("Accept", answer.Headers.Vary.Single());
        Assert.Equal(
            """"
            endUser,calls,completed,inputTokens,cachedInputTokens,outputTokens,cost,currency
            "'-1+1",1,1,7,0,3,0.01,USD
            "'=HYPERLINK(""http://evil"")",1,1,7,0,3,0.01,USD
            "'@SUM(A1)",1,1,7,0,3,0.01,USD
            "plain, ""quoted""",1,1,7,0,3,0.01,USD
            zoë,1,1,7,0,3,0.01,USD
            ,1,1,7,0,3,0.01,USD

            """".ReplaceLineEndings("\r\n"),
            await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("*/*", "application/json")]
    [InlineData("text/html, application/json;q=0.9, text/csv;q=0.5", "application/json")]
    [InlineData("application/json;q=0.5, text/csv", "text/csv")]
    [InlineData("text/csv;q=0", "application/json")]
    public async Task Csv_is_given_to_those_who_prefer_it(string accept, string type)
    {
        var member = await marketplace.AddOrganisationAsync();

        var answer = await GetAsync(member.Client, "/api/v1/usage", accept);

        Assert.Equal(type, answer.Content.Headers.ContentType?.MediaType);
    }

    private async Task<Shop> WithFiveCallsAsync()
    {
        var chat = ProviderScripts.Chat("hi", 7, 3);
        var shop = await Shop.OpenAsync(marketplace, ProviderScripts.OneByOne(chat, chat, chat, ProviderScripts.Fail(422), chat));
        await CallAsync(shop, "ann", "team=search,feature=chat");
        await CallAsync(shop, "bob", "team=search");
        await CallAsync(shop, "ann", "team=sales");
        await CallAsync(shop, null);
        await CallAsync(shop, null);
        await shop.ShippedAsync();
        return shop;
    }

    private static async Task CallAsync(Shop shop, string? user, string? tags = null) =>
        (await AttributionTests.SendAsync(shop.Client, "/v1/chat/completions", shop.Body($"\"user\":{JsonSerializer.Serialize(user)},{Shop.Hello}"), ("x-marketplace-tags", tags))).Dispose();

    private static Task<HttpResponseMessage> GetAsync(HttpClient client, string path, string accept)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Clear();
        request.Headers.TryAddWithoutValidation("Accept", accept);
        return client.SendAsync(request);
    }
}
