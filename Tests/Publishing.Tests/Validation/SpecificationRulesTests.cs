using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Validation;
using LlmMarketplace.Publishing.Versions;
using Microsoft.Extensions.Configuration;

namespace LlmMarketplace.Publishing.Tests.Validation;

public sealed class SpecificationRulesTests
{
    private static readonly SpecificationValidator Validator = MakeValidator();
    private static readonly RSA Key = RSA.Create(2_048);

    [Fact]
    public async Task A_right_declaration_has_no_issues_and_becomes_a_specification()
    {
        var declaration = Declarations.Embeddings();
        declaration["openApi"] = Declarations.OpenApi();
        var outcome = await ValidateAsync(declaration);
        Assert.Empty(outcome.Issues);
        var specification = outcome.Specification!;
        Assert.Equal("https://api.example.com/v1", specification.Endpoint.Url);
        Assert.Equal(64, specification.OpenApiSha256!.Length);
        Assert.Equal("minilm", specification.Model.Id);
        Assert.Equal("input", specification.Capabilities[0].Parameters!.Value.GetProperty("required")[0].GetString());
    }

    [Fact]
    public async Task All_issues_come_at_once_with_their_places()
    {
        var declaration = Declarations.Embeddings("one");
        declaration["category"] = "nonsense";
        declaration["endpoint"]!["url"] = "http://10.0.0.1/v1";
        declaration["pricing"]!["rates"]![0]!["input"] = -0.5;
        declaration["compliance"]!["dataResidency"] = new JsonArray("DE", "XX");
        declaration["sla"] = null;
        Assert.Equal(
            ["FORBIDDEN_ENDPOINT /endpoint/url", "GDPR_REQUIRED /compliance/gdpr", "INSECURE_ENDPOINT /endpoint/url", "INVALID_COUNTRY_CODE /compliance/dataResidency/1", "INVALID_VERSION_METADATA /version",
             "NEGATIVE_RATE /pricing/rates/0/input", "required /sla", "unknown_value /category"],
            (await ValidateAsync(declaration)).Issues.Select(issue => $"{issue.Code} {issue.Path}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Members_that_nobody_knows_are_refused_by_name_wherever_they_are()
    {
        var declaration = Declarations.Embeddings();
        declaration["pricing"]!["rates"]![0]!["cacheWrite5m"] = 3.75;
        declaration["endpoint"]!["timeout"] = new JsonObject { ["totalMs"] = 5_000 };
        declaration["colour"] = "red";
        declaration["examples"] = new JsonArray(new JsonObject { ["title"] = "One", ["request"] = new JsonObject { ["whatever"] = 1 }, ["response"] = null }); // What is the provider's own is not looked into.

        var issues = (await ValidateAsync(declaration)).Issues;

        Assert.Equal(["unknown_member /colour", "unknown_member /endpoint/timeout", "unknown_member /pricing/rates/0/cacheWrite5m"], issues.Select(issue => $"{issue.Code} {issue.Path}").Order(StringComparer.Ordinal));
        Assert.Contains("cacheWrite1h", issues.Single(issue => issue.Path.EndsWith("5m", StringComparison.Ordinal)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Time_outs_and_what_becomes_of_answers_whose_callers_leave_are_the_listings()
    {
        var declaration = Declarations.Embeddings();
        declaration["endpoint"]!["timeouts"] = new JsonObject { ["connectMs"] = 2_000, ["firstByteMs"] = 10_000, ["idleMs"] = 5_000, ["totalMs"] = 60_000 };
        declaration["endpoint"]!["whenCallerLeaves"] = "drain";

        var endpoint = (await ValidateAsync(declaration)).Specification!.Endpoint;

        Assert.Equal((new EndpointTimeouts(2_000, 10_000, 5_000, 60_000), WhenCallerLeaves.Drain), (endpoint.Timeouts, endpoint.WhenCallerLeaves));
        var without = (await ValidateAsync(Declarations.Embeddings())).Specification!.Endpoint;
        Assert.Equal((null, WhenCallerLeaves.Cancel), (without.Timeouts, without.WhenCallerLeaves));
    }

    [Theory]
    [InlineData("connectMs", 60_001, "out_of_range /endpoint/timeouts/connectMs")]
    [InlineData("idleMs", 0, "out_of_range /endpoint/timeouts/idleMs")]
    [InlineData("firstByteMs", 5_001, "out_of_range /endpoint/timeouts/firstByteMs")]
    [InlineData("idleMs", 5_001, "out_of_range /endpoint/timeouts/idleMs")]
    public async Task A_time_out_that_cannot_be_is_refused(string name, int milliseconds, string issue)
    {
        var declaration = Declarations.Embeddings();
        declaration["endpoint"]!["timeouts"] = new JsonObject { ["totalMs"] = 5_000, [name] = milliseconds };

        Assert.Equal([issue], (await ValidateAsync(declaration)).Issues.Select(found => $"{found.Code} {found.Path}"));
    }

    [Fact]
    public Task A_declaration_above_1_MiB_is_SERVICE_TOO_LARGE() => OnlyAsync("SERVICE_TOO_LARGE", "", declaration =>
        declaration["openApi"] = OpenApiWith(new string('x', SizeRule.MaxBytes)));

    [Theory]
    [InlineData("one")]
    [InlineData("1")]
    [InlineData("1.0")]
    [InlineData("01.0.0")]
    [InlineData("v1.0.0")]
    [InlineData("1.0.0+build.5")]
    [InlineData("1.0.0-")]
    [InlineData("")]
    public Task A_version_that_is_not_SemVer_or_has_build_metadata_is_INVALID_VERSION_METADATA(string version) =>
        OnlyAsync("INVALID_VERSION_METADATA", "/version", declaration => declaration["version"] = version);

    [Theory]
    [InlineData("1.9.9", "2.0.0")]
    [InlineData("2.0.0-rc.1", "2.0.0")]
    [InlineData("1.10.0-2", "1.10.0-11")]
    public async Task A_version_below_what_was_published_is_VERSION_NOT_INCREMENTED(string version, string published)
    {
        Assert.Equal(["VERSION_NOT_INCREMENTED /version"], await IssuesAsync(Declarations.Embeddings(version), new ExistingVersion(published, LeftTheDesk: true)));
        Assert.Empty(await IssuesAsync(Declarations.Embeddings(version), new ExistingVersion(published, LeftTheDesk: false)));
    }

    [Fact]
    public async Task A_version_that_is_there_is_DUPLICATE_VERSION() =>
        Assert.Equal(["DUPLICATE_VERSION /version"], await IssuesAsync(Declarations.Embeddings("1.0.0"), new ExistingVersion("1.0.0", LeftTheDesk: false)));

    [Theory]
    [InlineData("http://api.example.com/v1", "openai")]
    [InlineData("ws://api.example.com/v1", "websocket")]
    public Task An_endpoint_without_TLS_is_INSECURE_ENDPOINT(string url, string protocol) => OnlyAsync("INSECURE_ENDPOINT", "/endpoint/url", declaration =>
    {
        declaration["endpoint"]!["url"] = url;
        declaration["endpoint"]!["protocol"] = protocol;
    });

    [Theory]
    [InlineData("https://127.0.0.1/v1")]
    [InlineData("https://2130706433/v1")]
    [InlineData("https://0x7f.1/v1")]
    [InlineData("https://[::1]/v1")]
    [InlineData("https://[::ffff:10.0.0.1]/v1")]
    [InlineData("https://169.254.169.254/latest")]
    [InlineData("https://192.168.1.1/")]
    [InlineData("https://localhost/v1")]
    [InlineData("https://metadata.google.internal/")]
    [InlineData("https://unknown.local/")]
    [InlineData("https://inside.example.com/v1")]
    [InlineData("https://metadata.example.com/")]
    public Task An_endpoint_inside_is_FORBIDDEN_ENDPOINT_by_address_and_by_what_its_name_leads_to(string url) =>
        OnlyAsync("FORBIDDEN_ENDPOINT", "/endpoint/url", declaration => declaration["endpoint"]!["url"] = url);

    [Fact]
    public async Task A_local_provider_is_allowed_for_its_owner_alone()
    {
        var declaration = Declarations.Embeddings();
        declaration["endpoint"]!["url"] = "http://here.local/v1";
        Assert.Empty((await ValidateAsync(declaration, "local-owner")).Issues);
        Assert.Equal(["FORBIDDEN_ENDPOINT", "INSECURE_ENDPOINT"], (await ValidateAsync(declaration, "somebody-else")).Issues.Select(issue => issue.Code).Order());
    }

    [Theory]
    [InlineData("https://api.example.com/v1", "websocket")]
    [InlineData("wss://api.example.com/v1", "openai")]
    [InlineData("ftp://api.example.com/v1", "openai")]
    public Task An_address_that_its_protocol_does_not_speak_is_PROTOCOL_MISMATCH(string url, string protocol) => OnlyAsync("PROTOCOL_MISMATCH", "/endpoint/url", declaration =>
    {
        declaration["endpoint"]!["url"] = url;
        declaration["endpoint"]!["protocol"] = protocol;
    });

    [Fact]
    public async Task Vertex_and_Bedrock_take_credentials_of_their_own_kind()
    {
        Assert.Empty(await IssuesAsync(Platform("vertex", "google-service-account", ServiceAccount("https://oauth2.googleapis.com/token"))));
        Assert.Empty(await IssuesAsync(Platform("openai", "google-service-account", ServiceAccount("https://oauth2.googleapis.com/token"))));
        Assert.Empty(await IssuesAsync(Platform("bedrock", "aws-signature", AccessKey("eu-central-1"))));
        Assert.Empty(await IssuesAsync(Platform("bedrock", "aws-signature", AccessKey(null), "https://bedrock-runtime.eu-central-1.amazonaws.com")));
        Assert.Empty(await IssuesAsync(Platform("bedrock", "api-key", "ABSKexample")));
    }

    [Theory]
    [InlineData("vertex", "api-key")]
    [InlineData("vertex", "aws-signature")]
    [InlineData("bedrock", "google-service-account")]
    [InlineData("bedrock", "oauth2")]
    [InlineData("gemini", "google-service-account")]
    [InlineData("openai", "aws-signature")]
    public async Task An_authentication_that_a_protocol_does_not_take_is_PROTOCOL_MISMATCH(string protocol, string authentication) =>
        Assert.Contains("PROTOCOL_MISMATCH /endpoint/authentication", await IssuesAsync(Platform(protocol, authentication, "secret")));

    [Theory]
    [InlineData("vertex", "google-service-account", "sk-1")]
    [InlineData("vertex", "google-service-account", "[]")]
    [InlineData("vertex", "google-service-account", """{"type":"authorized_user"}""")]
    [InlineData("vertex", "google-service-account", """{"type":"service_account","client_email":"a@b"}""")]
    [InlineData("vertex", "google-service-account", """{"type":"service_account","client_email":"a@b","private_key":"none"}""")]
    [InlineData("bedrock", "aws-signature", "AKIA:secret")]
    [InlineData("bedrock", "aws-signature", """{"accessKeyId":"AKIA"}""")]
    [InlineData("bedrock", "aws-signature", """{"accessKeyId":"AKIA","secretAccessKey":"s"}""")]
    [InlineData("bedrock", "aws-signature", """{"accessKeyId":"AKIA","secretAccessKey":"s","region":"eu-central-1.evil.example"}""")]
    public async Task A_credential_that_cannot_work_is_refused_and_never_quoted(string protocol, string authentication, string secret)
    {
        var issue = Assert.Single((await ValidateAsync(Platform(protocol, authentication, secret))).Issues);
        Assert.Equal(("secret_invalid", "/endpoint/secret"), (issue.Code, issue.Path));
        Assert.DoesNotContain(secret, issue.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://tokens.example.com/token")]
    [InlineData("http://oauth2.googleapis.com/token")]
    [InlineData("https://oauth2.googleapis.com.example.com/token")]
    [InlineData("https://evilgoogleapis.com/token")]
    [InlineData("https://user@oauth2.googleapis.com/token")]
    [InlineData("https://oauth2.googleapis.com:8443/token")]
    [InlineData("http://169.254.169.254/token")]
    [InlineData("http://here.local/token")]
    public async Task Tokens_are_fetched_nowhere_but_at_Googles(string tokens) =>
        Assert.Equal(["secret_invalid /endpoint/secret"], await IssuesAsync(Platform("vertex", "google-service-account", ServiceAccount(tokens))));

    [Fact]
    public async Task A_local_provider_gives_tokens_for_its_owner()
    {
        var declaration = Platform("vertex", "google-service-account", ServiceAccount("http://here.local/token"));
        Assert.Empty((await ValidateAsync(declaration, "local-owner")).Issues);
    }

    [Theory]
    [InlineData("vertex", "google-service-account", "converse")]
    [InlineData("bedrock", "api-key", "generate_content")]
    [InlineData("openai", "api-key", "converse")]
    public async Task A_surface_that_a_protocol_has_not_is_PROTOCOL_MISMATCH(string protocol, string authentication, string surface)
    {
        var declaration = Platform(protocol, authentication, ServiceAccount("https://oauth2.googleapis.com/token"));
        declaration["endpoint"]!["surfaces"] = new JsonArray(surface);
        Assert.Equal(["PROTOCOL_MISMATCH /endpoint/surfaces"], await IssuesAsync(declaration));
    }

    [Fact]
    public Task A_free_service_with_rates_is_INCONSISTENT_PRICING() => OnlyAsync("INCONSISTENT_PRICING", "/pricing/rates", declaration => declaration["pricing"]!["model"] = "free");

    [Fact]
    public Task Two_rates_for_a_tier_are_INCONSISTENT_PRICING() => OnlyAsync("INCONSISTENT_PRICING", "/pricing/rates/1/tier", declaration =>
        declaration["pricing"]!["rates"]!.AsArray().Add(declaration["pricing"]!["rates"]![0]!.DeepClone()));

    [Fact]
    public Task An_output_price_per_request_is_INCONSISTENT_PRICING() => OnlyAsync("INCONSISTENT_PRICING", "/pricing/rates/0", declaration =>
    {
        declaration["pricing"]!["model"] = "per-request";
        declaration["pricing"]!["rates"]![0]!["unit"] = "request";
        declaration["pricing"]!["rates"]![0]!["output"] = 1;
    });

    [Fact]
    public Task A_price_model_without_rates_is_MISSING_PRICING_RATES() => OnlyAsync("MISSING_PRICING_RATES", "/pricing/rates", declaration => declaration["pricing"]!["rates"] = new JsonArray());

    [Fact]
    public Task A_tier_that_no_rate_covers_is_MISSING_PRICING_RATES() => OnlyAsync("MISSING_PRICING_RATES", "/pricing/rates", declaration => declaration["pricing"]!["rates"]![0]!["tier"] = "premium");

    [Theory]
    [InlineData("input")]
    [InlineData("output")]
    [InlineData("cachedInput")]
    [InlineData("audioMinute")]
    [InlineData("millionCharacters")]
    public Task A_negative_price_is_NEGATIVE_RATE(string price) => OnlyAsync("NEGATIVE_RATE", $"/pricing/rates/0/{price}", declaration => declaration["pricing"]!["rates"]![0]![price] = -0.000001);

    [Theory]
    [InlineData("audioMinute")]
    [InlineData("millionCharacters")]
    public Task A_price_of_sound_beside_a_subscription_is_INCONSISTENT_PRICING(string price) => OnlyAsync("INCONSISTENT_PRICING", "/pricing/rates/0", declaration =>
    {
        declaration["pricing"]!["model"] = "subscription";
        declaration["pricing"]!["rates"]![0]!["unit"] = "month";
        declaration["pricing"]!["rates"]![0]![price] = 0.01;
    });

    [Theory]
    [InlineData("gemini", "chat.completions")]
    [InlineData("openai", "generate_content")]
    [InlineData("anthropic", "audio.speech")]
    public Task A_surface_that_the_protocol_does_not_have_is_PROTOCOL_MISMATCH(string protocol, string surface) => OnlyAsync("PROTOCOL_MISMATCH", "/endpoint/surfaces", declaration =>
    {
        declaration["endpoint"]!["protocol"] = protocol;
        declaration["endpoint"]!["surfaces"] = new JsonArray(surface);
    });

    [Theory]
    [InlineData("per-token", "request")]
    [InlineData("per-request", "1m-tokens")]
    [InlineData("subscription", "request")]
    public Task A_unit_of_another_price_model_is_INVALID_PRICING_UNIT(string model, string unit) => OnlyAsync("INVALID_PRICING_UNIT", "/pricing/rates/0/unit", declaration =>
    {
        declaration["pricing"]!["model"] = model;
        declaration["pricing"]!["rates"]![0]!["unit"] = unit;
    });

    [Theory]
    [InlineData("XX")]
    [InlineData("us")]
    [InlineData("USA")]
    [InlineData("UK")]
    public Task A_country_that_ISO_3166_does_not_know_is_INVALID_COUNTRY_CODE(string code) => OnlyAsync("INVALID_COUNTRY_CODE", "/compliance/dataResidency/0", declaration =>
        declaration["compliance"]!["dataResidency"] = new JsonArray(code));

    [Theory]
    [InlineData("DE")]
    [InlineData("NO")]
    public async Task Data_in_the_EEA_without_GDPR_is_GDPR_REQUIRED(string code)
    {
        await OnlyAsync("GDPR_REQUIRED", "/compliance/gdpr", declaration => declaration["compliance"]!["dataResidency"] = new JsonArray("US", code));
        var committed = Declarations.Embeddings();
        committed["compliance"]!["dataResidency"] = new JsonArray(code);
        committed["compliance"]!["gdpr"] = true;
        Assert.Empty(await IssuesAsync(committed));
    }

    [Fact]
    public Task A_rest_service_without_a_document_is_INVALID_OPENAPI() => OnlyAsync("INVALID_OPENAPI", "/openApi", declaration => declaration["endpoint"]!["protocol"] = "rest");

    [Theory]
    [InlineData("""{ "openapi": "3.0.3", "info": { "title": "Old", "version": "1" }, "paths": {} }""")]
    [InlineData("""{ "swagger": "2.0", "info": { "title": "Older", "version": "1" }, "paths": {} }""")]
    [InlineData("""{ "openapi": "3.1.0", "info": { "version": "1" }, "paths": {} }""")]
    [InlineData("""{ "openapi": "3.1.0", "info": { "title": "T", "version": "1" }, "paths": { "/a": { "get": { "responses": { "200": { } } } } } }""")]
    [InlineData("""{ "hello": "world" }""")]
    [InlineData("\"a text\"")]
    [InlineData("[]")]
    public async Task A_document_that_is_not_OpenAPI_3_1_is_INVALID_OPENAPI(string document)
    {
        var declaration = Declarations.Embeddings();
        declaration["openApi"] = JsonNode.Parse(document);
        Assert.Equal(["INVALID_OPENAPI /openApi"], (await IssuesAsync(declaration)).Distinct());
    }

    [Theory]
    [InlineData("""{ "type": "text" }""")]
    [InlineData("""{ "type": "object", "required": "input" }""")]
    [InlineData("""{ "type": "object", "properties": { "a": { "minLength": -1 } } }""")]
    [InlineData("""{ "type": "object", "properties": { "a": { "anyOf": [] } } }""")]
    [InlineData("""{ "properties": [] }""")]
    [InlineData("""{ "properties": { "a": 5 } }""")]
    [InlineData("""{ "$ref": "#/$defs/missing" }""")]
    [InlineData("""{ "$ref": "https://evil.example.com/schema.json" }""")]
    [InlineData("[]")]
    [InlineData("true")]
    public async Task Parameters_that_are_no_JSON_Schema_are_INVALID_PARAMETER_SCHEMA(string schema)
    {
        var declaration = Declarations.Embeddings();
        declaration["capabilities"]![0]!["parameters"] = JsonNode.Parse(schema);
        Assert.Equal(["INVALID_PARAMETER_SCHEMA /capabilities/0/parameters"], (await IssuesAsync(declaration)).Distinct());
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{ "$schema": "https://json-schema.org/draft/2020-12/schema", "type": ["object", "null"], "properties": { "a": true, "b": { "$ref": "#/$defs/b" } }, "$defs": { "b": { "$anchor": "here", "prefixItems": [{ "const": 1 }] } } }""")]
    [InlineData("""{ "type": "object", "properties": { "$ref": { "type": "string" }, "n": { "exclusiveMinimum": 0, "enum": [1, "2", null] } }, "unevaluatedProperties": false, "if": { "minProperties": 1 }, "then": {}, "additionalProperties": { "$ref": "#" } }""")]
    public async Task Parameters_that_are_a_JSON_Schema_are_taken(string schema)
    {
        var declaration = Declarations.Embeddings();
        declaration["capabilities"]![0]!["parameters"] = JsonNode.Parse(schema);
        Assert.Empty(await IssuesAsync(declaration));
    }

    [Theory]
    [InlineData("/description", "null", "required")]
    [InlineData("/description", "5", "invalid_type")]
    [InlineData("/tags", "[\"Upper\"]", "unknown_value /tags/0")]
    [InlineData("/tags", "[\"a\",\"a\"]", "duplicate /tags/1")]
    [InlineData("/pricing/currency", "\"EUR\"", "unsupported_currency")]
    [InlineData("/pricing/rates/0/input", "1e-40", "out_of_range")]
    [InlineData("/pricing/rates/0/input", "0.1234567890123", "out_of_range")]
    [InlineData("/pricing/rates/0/tier", "\"gold\"", "unknown_value")]
    [InlineData("/sla/availability", "100.1", "out_of_range")]
    [InlineData("/sla/timeoutMs", "1000", "out_of_range")]
    [InlineData("/model/contextWindow", "1.5", "out_of_range")]
    [InlineData("/model/knowledgeCutoff", "\"2026\"", "invalid_type")]
    [InlineData("/endpoint/protocol", "\"soap\"", "unknown_value")]
    [InlineData("/endpoint/url", "\"v1/chat\"", "invalid_url")]
    [InlineData("/endpoint/url", "\"https://user:pass@api.example.com/\"", "invalid_url")]
    [InlineData("/endpoint/secret", "null", "secret_required")]
    [InlineData("/endpoint/authentication", "\"none\"", "secret_unexpected /endpoint/secret")]
    [InlineData("/compliance/level", "\"secret\"", "unknown_value")]
    public async Task Ordinary_field_errors_name_their_place(string place, string value, string issue)
    {
        var declaration = Declarations.Embeddings();
        var steps = place[1..].Split('/');
        var parent = steps[..^1].Aggregate<string, JsonNode>(declaration, (node, step) => int.TryParse(step, out var index) ? node[index]! : node[step]!);
        parent[steps[^1]] = JsonNode.Parse(value);
        var expected = issue.Contains(' ', StringComparison.Ordinal) ? issue : $"{issue} {place}";
        Assert.Equal([expected], (await IssuesAsync(declaration)).Where(found => !found.StartsWith("MISSING_PRICING_RATES", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("{\"description\":\"a\\u0000b\"}", "/description")]
    [InlineData("{\"description\":\"\\ud800\"}", "/description")]
    [InlineData("{\"tags\":[1e999]}", "/tags/0")]
    [InlineData("{\"a\":1,\"a\":2}", "")]
    [InlineData("{", "")]
    [InlineData("[]", "")]
    [InlineData("{\"endpoint\":{\"secret\":5}}", "/endpoint/secret")]
    public void What_could_not_be_kept_is_refused_before_it_is_read(string body, string path)
    {
        var refusal = DeclarationBody.Read(Encoding.UTF8.GetBytes(body)).Refusal!;
        Assert.Equal(400, refusal.StatusCode);
        Assert.Equal(path, Assert.Single((IReadOnlyCollection<Issue>)refusal.ProblemDetails.Extensions["issues"]!).Path);
    }

    private static JsonObject OpenApiWith(string description)
    {
        var document = Declarations.OpenApi();
        document["info"]!["description"] = description;
        return document;
    }

    private static JsonObject Platform(string protocol, string authentication, string secret, string url = "https://api.example.com/v1")
    {
        var declaration = Declarations.Embeddings();
        declaration["endpoint"] = new JsonObject { ["url"] = url, ["protocol"] = protocol, ["authentication"] = authentication, ["secret"] = secret };
        return declaration;
    }

    private static string ServiceAccount(string tokens) =>
        new JsonObject { ["type"] = "service_account", ["client_email"] = "a@b.iam.gserviceaccount.com", ["private_key"] = Key.ExportPkcs8PrivateKeyPem(), ["token_uri"] = tokens }.ToJsonString();

    private static string AccessKey(string? region) => new JsonObject { ["accessKeyId"] = "AKIAEXAMPLE", ["secretAccessKey"] = "secret", ["region"] = region }.ToJsonString();

    private static async Task OnlyAsync(string code, string path, Action<JsonObject> change)
    {
        var declaration = Declarations.Embeddings();
        change(declaration);
        Assert.Equal([$"{code} {path}"], await IssuesAsync(declaration));
    }

    private static async Task<IEnumerable<string>> IssuesAsync(JsonObject declaration, params ExistingVersion[] others) =>
        (await ValidateAsync(declaration, "somebody", others)).Issues.Select(issue => $"{issue.Code} {issue.Path}");

    private static Task<ValidationOutcome> ValidateAsync(JsonObject declaration, string slug = "somebody", params ExistingVersion[] others)
    {
        var body = DeclarationBody.Read(Encoding.UTF8.GetBytes(declaration.ToJsonString()));
        Assert.Null(body.Refusal);
        return Validator.ValidateAsync(new ValidationSubject(body.Version, JsonElement.Parse(body.Document), body.OpenApi, body.CredentialNames, _ => body.Secret!, slug, others), TestContext.Current.CancellationToken);
    }

    private static SpecificationValidator MakeValidator()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Providers:Local:here:Address", "http://127.0.0.1:9"), new("Providers:Local:here:Organisation", "local-owner")]).Build();
        var names = new HostAddresses((host, _) => host switch
        {
            "api.example.com" => Task.FromResult<IPAddress[]>([IPAddress.Parse("93.184.216.34")]),
            "inside.example.com" => Task.FromResult<IPAddress[]>([IPAddress.Parse("93.184.216.34"), IPAddress.Parse("10.1.2.3")]),
            "metadata.example.com" => Task.FromResult<IPAddress[]>([IPAddress.Parse("169.254.169.254")]),
            _ => throw new SocketException((int)SocketError.HostNotFound),
        });
        var guard = new EndpointGuard(new LocalProviders(configuration), names);
        return new SpecificationValidator(
            [new SizeRule(), new KnownMembersRule(), new VersionRule(), new EndpointRule(guard, new CredentialFormats(guard)), new PricingRule(), new ComplianceRule(), new OpenApiRule(), new ParameterSchemaRule()]);
    }
}
