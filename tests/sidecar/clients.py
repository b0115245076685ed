"""What five editors say in `initialize`, cut down to what tells them apart."""

from typing import Any

_SYNC = {"didSave": True, "willSave": True, "willSaveWaitUntil": True, "dynamicRegistration": False}

NEOVIM: dict[str, Any] = {
    "processId": 4242,
    "clientInfo": {"name": "Neovim", "version": "0.11.4"},
    "rootPath": "/home/u/p",
    "rootUri": "file:///home/u/p",
    "workspaceFolders": [{"uri": "file:///home/u/p", "name": "/home/u/p"}],
    "trace": "off",
    "workDoneToken": "1",
    "capabilities": {
        "general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]},
        "textDocument": {
            "synchronization": _SYNC,
            "completion": {
                "completionItem": {
                    "snippetSupport": True,
                    "resolveSupport": {"properties": ["additionalTextEdits", "command"]},
                    "tagSupport": {"valueSet": [1]},
                },
                "completionList": {"itemDefaults": ["editRange", "data"]},
            },
            "codeAction": {
                "codeActionLiteralSupport": {
                    "codeActionKind": {"valueSet": ["", "quickfix", "refactor", "source"]}
                },
                "dataSupport": True,
                "resolveSupport": {"properties": ["edit", "command"]},
            },
            "semanticTokens": {
                "formats": ["relative"],
                "tokenTypes": ["namespace", "type"],
                "tokenModifiers": ["declaration"],
                "requests": {"range": False, "full": {"delta": True}},
            },
        },
        "workspace": {
            "configuration": True,
            "applyEdit": True,
            "workspaceFolders": True,
            "didChangeConfiguration": {"dynamicRegistration": False},
            "didChangeWatchedFiles": {"dynamicRegistration": False, "relativePatternSupport": True},
        },
        "window": {
            "workDoneProgress": True,
            "showMessage": {"messageActionItem": {"additionalPropertiesSupport": True}},
            "showDocument": {"support": True},
        },
    },
}

VSCODE: dict[str, Any] = {
    "processId": 991,
    "clientInfo": {"name": "Visual Studio Code", "version": "1.106.1"},
    "locale": "en",
    "rootPath": "/home/u/p",
    "rootUri": "file:///home/u/p",
    "trace": "off",
    "workspaceFolders": [{"uri": "file:///home/u/p", "name": "p"}],
    "initializationOptions": {},
    "capabilities": {
        "workspace": {
            "applyEdit": True,
            "workspaceEdit": {
                "documentChanges": True,
                "resourceOperations": ["create", "rename", "delete"],
                "failureHandling": "textOnlyTransactional",
                "normalizesLineEndings": True,
                "changeAnnotationSupport": {"groupsOnLabel": True},
                "metadataSupport": True,
                "snippetEditSupport": True,
            },
            "configuration": True,
            "didChangeConfiguration": {"dynamicRegistration": True},
            "workspaceFolders": True,
            "executeCommand": {"dynamicRegistration": True},
            "textDocumentContent": {"dynamicRegistration": True},
            "foldingRange": {"refreshSupport": True},
            "fileOperations": {"dynamicRegistration": True, "didCreate": True},
        },
        "textDocument": {
            "synchronization": {**_SYNC, "dynamicRegistration": True},
            "inlineCompletion": {"dynamicRegistration": True},
            "filters": {"relativePatternSupport": True},
            "diagnostic": {"dynamicRegistration": True, "markupMessageSupport": True},
            "codeAction": {
                "dynamicRegistration": True,
                "isPreferredSupport": True,
                "documentationSupport": True,
                "tagSupport": {"valueSet": [1]},
                "codeActionLiteralSupport": {
                    "codeActionKind": {"valueSet": ["", "quickfix", "notebook"]}
                },
            },
        },
        "window": {
            "showMessage": {"messageActionItem": {"additionalPropertiesSupport": True}},
            "showDocument": {"support": True},
            "workDoneProgress": True,
        },
        "general": {
            "staleRequestSupport": {
                "cancel": True,
                "retryOnContentModified": ["textDocument/semanticTokens/full"],
            },
            "regularExpressions": {"engine": "ECMAScript", "version": "ES2020"},
            "markdown": {"parser": "marked", "version": "1.1.0"},
            "positionEncodings": ["utf-16"],
        },
        "notebookDocument": {
            "synchronization": {"dynamicRegistration": True, "executionSummarySupport": True}
        },
        "experimental": {"aiSidecar": {"status": True, "lm": True}},
    },
}

LAPCE: dict[str, Any] = {
    "processId": 77,
    "rootUri": "file:///home/u/p",
    "initializationOptions": {"default": "mock"},
    "capabilities": {
        "textDocument": {
            "synchronization": {"didSave": True, "dynamicRegistration": True},
            "inlineCompletion": {},
            "codeAction": {
                "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}},
                "resolveSupport": {"properties": ["edit", "command", "data"]},
            },
        },
        "window": {"workDoneProgress": True, "showMessage": {}},
        "workspace": {"configuration": False, "workspaceFolders": True},
        "experimental": {"serverStatusNotification": True},
    },
    "trace": "verbose",
    "workspaceFolders": [{"uri": "file:///home/u/p", "name": "p"}],
    "clientInfo": {"name": "lapce", "version": "0.4.6"},
}

EGLOT: dict[str, Any] = {
    "processId": 5150,
    "clientInfo": {"name": "Eglot", "version": "1.17"},
    "rootPath": "/home/u/p/",
    "rootUri": "file:///home/u/p",
    "initializationOptions": {},
    "capabilities": {
        "workspace": {
            "applyEdit": True,
            "executeCommand": {"dynamicRegistration": False},
            "workspaceEdit": {"documentChanges": True},
            "didChangeWatchedFiles": {"dynamicRegistration": True},
            "configuration": True,
            "workspaceFolders": True,
        },
        "textDocument": {
            "synchronization": _SYNC,
            "completion": {"contextSupport": True, "completionItem": {"snippetSupport": False}},
        },
        "window": {"showDocument": {"support": True}, "workDoneProgress": True},
        "general": {"positionEncodings": ["utf-32", "utf-8", "utf-16"]},
        "experimental": {},
    },
    "workspaceFolders": [{"uri": "file:///home/u/p", "name": "~/p/"}],
}

HELIX: dict[str, Any] = {
    "processId": 31337,
    "clientInfo": {"name": "helix", "version": "25.07.1"},
    "rootPath": "/home/u/p",
    "rootUri": "file:///home/u/p",
    "workspaceFolders": [{"name": "p", "uri": "file:///home/u/p"}],
    "capabilities": {
        "general": {"positionEncodings": ["utf-8", "utf-32", "utf-16"]},
        "textDocument": {"publishDiagnostics": {"versionSupport": True}, "rename": {}},
        "window": {"workDoneProgress": True},
        "workspace": {
            "applyEdit": True,
            "configuration": True,
            "didChangeConfiguration": {"dynamicRegistration": False},
            "workspaceFolders": True,
        },
    },
}

CLIENTS = {"neovim": NEOVIM, "vscode": VSCODE, "lapce": LAPCE, "eglot": EGLOT, "helix": HELIX}
