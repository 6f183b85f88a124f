using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Identity.Contracts;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Keys;

/// <summary>Provisioning: <c>/api/v1/keys</c>.</summary>
public sealed class KeysTests(Marketplace marketplace)
{
    [Fact]
    public async Task A_key_has_12_characters_that_identify_it_and_36_that_prove_it_and_is_shown_once()
    {
        var member = await marketplace.AddOrganisationAsync();

        var answer = await member.Client.PostAsJsonAsync("/api/v1/keys", new { name = "once", labels = new { team = "team a" } });

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.True(answer.Headers.CacheControl?.NoStore);
        var created = await answer.JsonAsync();
        var text = created.Text("key")!;
        Assert.Matches("^llm_mk_[0-9A-Za-z]{48}$", text);
        Assert.Equal(text[..19], created.Text("prefix"));
        Assert.Equal("active", created.Text("status"));
        var read = await member.Client.GetAsync(answer.Headers.Location);
        var again = await read.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        Assert.Contains("team a", again, StringComparison.Ordinal);
        Assert.DoesNotContain(text[19..], again + await member.Client.GetStringAsync("/api/v1/keys"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_a_key_only_an_HMAC_is_stored()
    {
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync();
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);

        await using var hashOf = database.CreateCommand("SELECT hash FROM keys WHERE id = $1");
        hashOf.Parameters.Add(new NpgsqlParameter { Value = key.Id });
        var hash = (byte[])(await hashOf.ExecuteScalarAsync())!;
        Assert.Equal(HMACSHA256.HashSizeInBytes, hash.Length);
        Assert.NotEqual(SHA256.HashData(Encoding.ASCII.GetBytes(key.Text)), hash);

        await using var tables = database.CreateCommand("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')");
        var names = new List<string>();
        await using (var reader = await tables.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                names.Add(reader.GetString(0));
            }
        }

        Assert.Contains("public.keys", names);
        foreach (var table in names)
        {
            await using var holding = database.CreateCommand($"SELECT count(*) FROM {table} AS row WHERE strpos(row::text, $1) > 0 OR strpos(row::text, encode($2, 'hex')) > 0");
            holding.Parameters.Add(new NpgsqlParameter { Value = key.Text[19..] });
            holding.Parameters.Add(new NpgsqlParameter { Value = Encoding.ASCII.GetBytes(key.Text[19..]) });
            Assert.True((long)(await holding.ExecuteScalarAsync())! == 0, $"{table} holds a key's secret.");
        }
    }

    [Fact]
    public async Task A_key_ends_in_365_days_unless_said()
    {
        var member = await marketplace.AddOrganisationAsync();

        var unsaid = await (await member.Client.PostAsJsonAsync("/api/v1/keys", new { name = "a" })).JsonAsync();
        var said = await (await member.Client.PostAsJsonAsync("/api/v1/keys", new { name = "b", expiresAt = "2999-01-01T01:00:00+01:00" })).JsonAsync();

        Assert.Equal(TimeSpan.FromDays(365), unsaid.GetProperty("expiresAt").GetDateTimeOffset() - unsaid.GetProperty("createdAt").GetDateTimeOffset());
        Assert.Equal(new DateTimeOffset(2999, 1, 1, 0, 0, 0, TimeSpan.Zero), said.GetProperty("expiresAt").GetDateTimeOffset());
    }

    [Fact]
    public async Task Keys_are_listed_newest_first_page_by_page()
    {
        var member = await marketplace.AddOrganisationAsync();
        await (await marketplace.AddOrganisationAsync()).Client.PostAsJsonAsync("/api/v1/keys", new { name = "another's" });
        for (var i = 0; i < 5; i++)
        {
            await member.Client.PostAsJsonAsync("/api/v1/keys", new { name = $"key {i}" });
        }

        var pages = new List<string[]>();
        string? cursor = null;
        do
        {
            var page = await member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/keys?limit=2{(cursor is null ? "" : $"&cursor={cursor}")}");
            pages.Add([.. page.GetProperty("items").EnumerateArray().Select(item => item.Text("name")!)]);
            cursor = page.Text("nextCursor");
        }
        while (cursor is not null);

        Assert.Equal([["key 4", "key 3"], ["key 2", "key 1"], ["key 0"]], pages);
        Assert.Equal((400, "invalid_cursor"), await (await member.Client.GetAsync("/api/v1/keys?cursor=made-up")).ProblemAsync());
    }

    [Fact]
    public async Task Another_organisations_key_does_not_exist()
    {
        var key = await (await marketplace.AddOrganisationAsync()).CreateKeyAsync();
        var stranger = (await marketplace.AddOrganisationAsync()).Client;

        Assert.Equal((404, "not_found"), await (await stranger.GetAsync($"/api/v1/keys/{key.Id}")).ProblemAsync());
        Assert.Equal((404, "not_found"), await (await stranger.PatchAsync($"/api/v1/keys/{key.Id}", Json.Content("""{"name":"mine"}"""))).ProblemAsync());
        Assert.Equal((404, "not_found"), await (await stranger.DeleteAsync($"/api/v1/keys/{key.Id}")).ProblemAsync());
        Assert.Equal((404, "not_found"), await (await stranger.GetAsync($"/api/v1/keys/{Guid.CreateVersion7()}")).ProblemAsync());
        using var holder = key.Client();
        Assert.Equal(HttpStatusCode.OK, (await holder.GetAsync("/v1/models")).StatusCode);
    }

    [Theory]
    [InlineData(Roles.Provider)]
    [InlineData(Roles.Approver)]
    [InlineData(Roles.Auditor)]
    [InlineData(Roles.Admin)]
    public async Task Only_consumers_manage_keys_and_budgets(string role)
    {
        var member = await marketplace.AddOrganisationAsync();
        using var client = marketplace.Service.ClientWith(marketplace.Identity.Token(member.Id, member.Organisation.Slug, [role]));

        foreach (var answer in new[]
        {
            await client.GetAsync("/api/v1/keys"), await client.PostAsJsonAsync("/api/v1/keys", new { name = "a" }), await client.GetAsync($"/api/v1/keys/{Guid.CreateVersion7()}"),
            await client.DeleteAsync($"/api/v1/keys/{Guid.CreateVersion7()}"), await client.PutAsJsonAsync("/api/v1/budgets", new { amount = 1, currency = "USD", period = "total" }),
        })
        {
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        }
    }

    [Fact]
    public async Task An_API_key_does_not_manage_keys()
    {
        using var client = (await (await marketplace.AddOrganisationAsync()).CreateKeyAsync()).Client();

        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/keys")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.PostAsJsonAsync("/api/v1/keys", new { name = "more" })).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await marketplace.Service.Client.GetAsync("/api/v1/keys")).StatusCode);
    }

    [Theory]
    [InlineData("""{}""", "invalid_name", "/name")]
    [InlineData("""{"name":"  "}""", "invalid_name", "/name")]
    [InlineData("""{"name":"a","expiresAt":"2001-01-01T00:00:00Z"}""", "invalid_expiry", "/expiresAt")]
    [InlineData("""{"name":"a","scopes":{"services":["no-slash"],"categories":[]}}""", "invalid_scopes", "/scopes/services")]
    [InlineData("""{"name":"a","scopes":{"services":["acme/x@1"],"categories":[]}}""", "invalid_scopes", "/scopes/services")]
    [InlineData("""{"name":"a","scopes":{"services":[],"categories":["cooking"]}}""", "invalid_scopes", "/scopes/categories")]
    [InlineData("""{"name":"a","scopes":{}}""", "invalid_scopes", "/scopes")]
    [InlineData("""{"name":"a","budget":{"amount":-1,"currency":"USD","period":"total"}}""", "invalid_amount", "/budget/amount")]
    [InlineData("""{"name":"a","budget":{"amount":0.0000000001,"currency":"USD","period":"total"}}""", "invalid_amount", "/budget/amount")]
    [InlineData("""{"name":"a","budget":{"amount":1,"currency":"EUR","period":"total"}}""", "invalid_currency", "/budget/currency")]
    public async Task What_a_key_cannot_be_is_refused_with_the_member_at_fault(string body, string code, string path)
    {
        var member = await marketplace.AddOrganisationAsync();

        var answer = await member.Client.PostJsonAsync("/api/v1/keys", body);

        Assert.Equal((400, code), await answer.ProblemAsync());
        Assert.Equal(path, Assert.Single((await answer.JsonAsync()).GetProperty("issues").EnumerateArray()).Text("path"));
        Assert.Empty((await member.Client.GetFromJsonAsync<JsonElement>("/api/v1/keys")).GetProperty("items").EnumerateArray());
    }

    [Theory]
    [InlineData("""{"name":"a","budget":{"amount":1,"currency":"USD","period":"week"}}""", "/budget/period", "`budget.period` must be one of \"day\", \"month\", \"total\".")]
    [InlineData("""{"name":"a","budget":{"amount":"1","currency":"USD","period":"day"}}""", "/budget/amount", "`budget.amount` must be a number.")]
    [InlineData("""{"name":"a","budget":1}""", "/budget", "`budget` must be an object with amount, currency, period.")]
    [InlineData("""{"name":"a","scopes":{"services":"acme/x"}}""", "/scopes/services", "`scopes.services` must be an array.")]
    [InlineData("""{"name":"a","expiresAt":"tomorrow"}""", "/expiresAt", "`expiresAt` must be a time (RFC 3339), for instance 2026-11-01T00:00:00Z.")]
    [InlineData("""{"name":"a","limits":{"concurrent":5}}""", "/limits/concurrent", "`concurrent` is no member of this: requestsPerMinute, tokensPerMinute, concurrentCalls are.")]
    [InlineData("""{"name":"a","budgett":null}""", "/budgett", "`budgett` is no member of this: name, labels, expiresAt, scopes, limits, budget, endUserBudget are.")]
    [InlineData("""{"name":"a","name":"b"}""", "/name", "`name` is given twice.")]
    [InlineData("""null""", "", "The body is missing: send a JSON object.")]
    [InlineData("""[]""", "", "The body must be an object with name, labels, expiresAt, scopes, limits, budget, endUserBudget.")]
    [InlineData("""{"name":"a",""", "", "The body is not JSON: ")]
    public async Task A_body_of_another_shape_is_refused_with_the_member_and_what_it_must_be(string body, string path, string message)
    {
        var member = await marketplace.AddOrganisationAsync();

        var answer = await member.Client.PostJsonAsync("/api/v1/keys", body);

        Assert.Equal((400, "invalid_request"), await answer.ProblemAsync());
        var problem = await answer.JsonAsync();
        var issue = Assert.Single(problem.GetProperty("issues").EnumerateArray());
        Assert.Equal(path, issue.Text("path"));
        Assert.StartsWith(message, issue.Text("message"), StringComparison.Ordinal);
        Assert.Equal(issue.Text("message"), problem.Text("detail"));
        Assert.Empty((await member.Client.GetFromJsonAsync<JsonElement>("/api/v1/keys")).GetProperty("items").EnumerateArray());
    }

    [Fact]
    public async Task Of_the_scopes_one_list_may_be_left_out()
    {
        var member = await marketplace.AddOrganisationAsync();

        var answer = await member.Client.PostJsonAsync("/api/v1/keys", """{"name":"a","scopes":{"services":["acme/x"]}}""");

        Assert.Equal("""{"services":["acme/x"],"categories":[]}""", (await answer.JsonAsync()).GetProperty("scopes").GetRawText());
    }

    [Fact]
    public async Task A_body_that_is_not_sent_as_JSON_and_a_parameter_that_cannot_be_read_say_what_would_be_right()
    {
        var member = await marketplace.AddOrganisationAsync();
        using var form = new StringContent("""{"name":"a"}""", Encoding.UTF8, "application/x-www-form-urlencoded");

        var sent = await member.Client.PostAsync("/api/v1/keys", form);
        Assert.Equal((415, "unsupported_media_type"), await sent.ProblemAsync());
        Assert.Equal("The body must be JSON: send it with `Content-Type: application/json`.", (await sent.JsonAsync()).Text("detail"));

        var asked = await member.Client.GetAsync("/api/v1/usage?from=yesterday");
        Assert.Equal((400, "invalid_request"), await asked.ProblemAsync());
        Assert.Equal("`from` cannot be `yesterday`: it must be a time (RFC 3339), for instance 2026-11-01T00:00:00Z.", (await asked.JsonAsync()).Text("detail"));
    }

    [Fact]
    public async Task A_change_keeps_what_it_does_not_name_and_null_takes_away()
    {
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync(new { name = "old", labels = new { team = "l" }, budget = new { amount = 5, currency = "USD", period = "month" }, scopes = new { services = new[] { "acme/a" }, categories = Array.Empty<string>() } });

        var renamed = await ChangeAsync(member, key, """{"name":"new"}""");
        Assert.Equal(("new", "l", 5m), (renamed.Text("name"), renamed.GetProperty("labels").Text("team"), renamed.GetProperty("budget").GetProperty("amount").GetDecimal()));
        Assert.Equal("acme/a", Assert.Single(renamed.GetProperty("scopes").GetProperty("services").EnumerateArray()).GetString());

        var emptied = await ChangeAsync(member, key, """{"budget":null,"labels":null,"scopes":null}""");
        Assert.Equal(JsonValueKind.Null, emptied.GetProperty("budget").ValueKind);
        Assert.Empty(emptied.GetProperty("labels").EnumerateObject());
        Assert.Empty(emptied.GetProperty("scopes").GetProperty("services").EnumerateArray());
    }

    [Theory]
    [InlineData("""{"name":null}""", "invalid_name")]
    [InlineData("""{"name":7}""", "invalid_patch")]
    [InlineData("""{"expiresAt":"2001-01-01T00:00:00Z"}""", "invalid_expiry")]
    [InlineData("""{"key":"llm_mk_mine"}""", "unknown_field")]
    [InlineData("""{"limits":{"concurrent":5}}""", "invalid_patch")]
    [InlineData("""{"organisationId":"00000000-0000-0000-0000-000000000000"}""", "unknown_field")]
    [InlineData("""[]""", "invalid_patch")]
    public async Task A_change_that_cannot_be_changes_nothing(string patch, string code)
    {
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync(new { name = "stays" });

        var answer = await member.Client.PatchAsync($"/api/v1/keys/{key.Id}", Json.Content(patch));

        Assert.Equal((400, code), await answer.ProblemAsync());
        Assert.Equal("stays", (await member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/keys/{key.Id}")).Text("name"));
    }

    private static async Task<JsonElement> ChangeAsync(Member member, CreatedKey key, string patch)
    {
        var answer = await member.Client.PatchAsync($"/api/v1/keys/{key.Id}", Json.Content(patch));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.JsonAsync();
    }
}
